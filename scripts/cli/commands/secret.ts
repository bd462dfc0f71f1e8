import { readFileSync } from 'node:fs';
import type { Page } from '@understudy/shared/protocol/api';
import type { SecretView } from '@understudy/shared/protocol/secrets';
import { messageOf, UserError } from '@understudy/shared/runtime/errors';
import type { Command } from 'commander';
import { apiFor } from '../context.ts';
import { print, printJson, showInstant, table } from '../output.ts';
import { addRekeyCommand } from './secret-rekey.ts';

interface SetOptions {
  readonly file?: string;
  readonly raw?: true;
}

/** `secret`: what jobs get as environment without anybody reading it. */
export function addSecretCommand(program: Command): void {
  const secret = program.command('secret').description('stored secrets: set, list, remove, rekey');
  secret
    .command('set <name>')
    .description('store a value, read from standard input; jobs name it in `secrets`')
    .option('--file <file>', 'read the value from a file')
    .option('--raw', 'keep the line feed at its end')
    .action(async (name: string, options: SetOptions, command: Command) => {
      const text = valueFrom(options.file ?? null);
      const value = options.raw ? text : text.replace(/\r?\n$/, '');
      await apiFor(command).request({ method: 'PUT', path: pathOf(name), body: { value } });
      print(`${name} is stored`);
    });
  secret
    .command('list')
    .description('all secrets, without their values')
    .option('--json', 'as JSON')
    .action(async (options: { json?: true }, command: Command) => {
      const { items } = await apiFor(command).request<Page<SecretView>>({
        ...{ method: 'GET', path: '/secrets' },
      });
      if (options.json) return printJson(items);
      const rows = items.map(({ name, updatedAt, updatedBy, keyId }) => [
        ...[name, showInstant(updatedAt), updatedBy, keyId],
      ]);
      print(table(['SECRET', 'SET', 'BY', 'KEY'], rows));
    });
  secret
    .command('remove <name>')
    .description('remove a secret that no job needs any more')
    .action(async (name: string, _options: unknown, command: Command) => {
      await apiFor(command).request({ method: 'DELETE', path: pathOf(name) });
      print(`${name} is removed`);
    });
  addRekeyCommand(secret);
}

/** Never from the command line: there every user of the host could read it. */
function valueFrom(file: string | null): string {
  if (file === null && process.stdin.isTTY) {
    process.stderr.write('the value, then Ctrl-D on a line of its own:\n');
  }
  try {
    return readFileSync(file ?? 0, 'utf8');
  } catch (error) {
    throw new UserError(`the value can't be read: ${messageOf(error)}`);
  }
}

function pathOf(name: string): string {
  return `/secrets/${encodeURIComponent(name)}`;
}
