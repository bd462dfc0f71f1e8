import { randomBytes } from 'node:crypto';
import { hostname, networkInterfaces } from 'node:os';
import { nameKind } from '@understudy/shared/runtime/config/kinds';
import { UserError } from '@understudy/shared/runtime/errors';
import type { Command } from 'commander';
import { addPlaceOptions, collect, type PlaceOptions, placeOf } from './place.ts';

interface ControllerOptions extends PlaceOptions {
  readonly pair: string;
  readonly node: string;
  readonly address: string;
  readonly peer: readonly string[];
  readonly vip?: true;
}

const TOKEN_BYTES = 32;

/** `install controller`: this host as one of a pair. */
export function addInstallControllerCommand(install: Command): void {
  const command = install
    .command('controller')
    .description('a service of systemd, an account and a first configuration for a controller host')
    .option('--pair <name>', 'the name of the pair', 'main')
    .option('--node <id>', 'the id of this host', shortName())
    .option('--address <host>', 'how others reach this host', ownAddress())
    .option(
      '--peer <host>',
      'how the other controller host is reached; may be repeated',
      collect,
      [],
    )
    .option('--vip', 'give the service the rights that a virtual address needs');
  addPlaceOptions(command).action(async (options: ControllerOptions) => {
    const { where, host } = placeOf(options, 'understudy');
    const work = await import('../../../install/host/install.ts');
    if (options.uninstall) {
      return work.uninstallHost('controller', { ...where, purge: options.purge === true });
    }
    const facts = {
      ...{ ...host, role: 'controller' as const, pair: named('--pair', options.pair) },
      nodeId: named('--node', options.node),
      address: reached('--address', options.address),
      peers: options.peer.map((peer) => reached('--peer', peer)),
      hasVip: options.vip === true,
      token: randomBytes(TOKEN_BYTES).toString('base64url'),
    };
    if (options.dryRun) work.showInstallation(facts);
    else work.installHost(facts, where);
  });
}

/** The first part of the host's name, if it may be an id. */
export function shortName(): string {
  const [name = ''] = hostname().split('.');
  return nameKind.schema.safeParse(name).success ? name : 'a';
}

export function named(option: string, value: string): string {
  if (nameKind.schema.safeParse(value).success) return value;
  throw new UserError(`${option} holds "${value}"; expected ${nameKind.expected}`);
}

function reached(option: string, value: string): string {
  const host = value.includes(':') ? `[${value}]` : value;
  const isHost = /^[\w.:-]+$/.test(value) && URL.canParse(`http://${host}:7400`);
  if (isHost) return value;
  throw new UserError(
    `${option} holds "${value}"; expected a host's name or address, without a port`,
  );
}

/** The first address that is not this host's alone. */
function ownAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  return all.find(({ internal, family }) => !internal && family === 'IPv4')?.address ?? '127.0.0.1';
}
