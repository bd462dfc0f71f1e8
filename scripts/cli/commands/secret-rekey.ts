import type { RekeyedView } from '@understudy/shared/protocol/secrets';
import { loadControllerHostConfig } from '@understudy/shared/runtime/config/load';
import { messageOf, UserError } from '@understudy/shared/runtime/errors';
import { makeKeystore, readKeystore } from '@understudy/shared/runtime/keystore';
import { nextKeystorePath } from '@understudy/shared/runtime/pair-key';
import type { Command } from 'commander';
import { apiFor, sourcesFor } from '../context.ts';
import { print } from '../output.ts';

/** `secret rekey`: another key for all secrets. The key itself goes from host to host by the operator's hand. */
export function addRekeyCommand(secret: Command): void {
  secret
    .command('rekey')
    .description(
      'encrypt all secrets anew, with the key that lies beside `keystore` of each controller host',
    )
    .option('--prepare', 'only make that key here, to be copied to the other controller hosts')
    .action(async (options: { prepare?: true }, command: Command) => {
      const path = keystorePath(command);
      if (options.prepare) prepare(path);
      else await rekey(path, command);
    });
}

function keystorePath(command: Command): string {
  const { keystore } = loadControllerHostConfig(sourcesFor(command));
  if (keystore !== null) return keystore;
  throw new UserError('this host has no key store: `keystore` is not set in its configuration');
}

function prepare(path: string): void {
  const next = nextKeystorePath(path);
  const there = readKeystore(next);
  if (there.type === 'read') {
    throw new UserError(
      `${next} holds key ${there.keystore.id} already: use it, or move it away. If it is the pair's by now: mv ${next} ${path}`,
    );
  }
  try {
    const { id } = makeKeystore(next);
    print(`${next} holds the new key ${id}
copy it to the same path of every other controller host (scp -p), then run: understudy secret rekey`);
  } catch (error) {
    throw new UserError(`the new key store ${next} can't be made: ${messageOf(error)}`);
  }
}

async function rekey(path: string, command: Command): Promise<void> {
  const next = nextKeystorePath(path);
  const read = readKeystore(next);
  if (read.type === 'missing') {
    throw new UserError(
      `there is no new key at ${next}: make one with \`understudy secret rekey --prepare\``,
    );
  }
  if (read.type === 'bad') throw new UserError(`the new key store ${next} ${read.problem}`);
  const body = { keyId: read.keystore.id };
  const { keyId, secrets, hooks } = await apiFor(command).request<RekeyedView>({
    ...{ method: 'POST', path: '/secrets/rekey', body },
  });
  print(`the pair's key is ${keyId}; encrypted anew: ${secrets} secrets of jobs, ${hooks} of hooks
now run on every controller host: mv ${next} ${path}`);
}
