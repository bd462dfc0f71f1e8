import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createPair } from '../../cli/create.ts';
import type { HostNetwork } from '../../hosts/network.ts';
import { reachableFrom } from '../../hosts/reachable-postgres.ts';
import type { Undoings } from '../../hosts/undoings.ts';
import { prepareFolder, writeConfigFiles } from '../../local/files.ts';
import { keepProcess } from '../../local/kept-process.ts';
import { type Layout, layOut } from '../../local/layout.ts';
import type { LocalSystem } from '../../local/system.ts';
import { startPostgres } from '../../postgres/start.ts';

/** Every host has these for itself. */
export const CONTROLLER_PORT = 7300;
const HEARTBEAT_PORT = 7400;
const COMMAND = fileURLToPath(new URL('../../../bin/understudy.js', import.meta.url));

export interface HostsSystemOptions {
  readonly network: HostNetwork;
  readonly folder: string;
  readonly agents: number;
  /** The virtual address, with the length of its prefix. */
  readonly virtual: string;
  /** As of `failover` in the configuration. */
  readonly failover: object;
}

/**
 * The same system as on one machine, but controller hosts and agents live on hosts of a network, each named as it
 * is there, and users find it under a virtual address. PostgreSQL is here. What is started is left with `undoings`.
 */
export async function startOnHosts(
  options: HostsSystemOptions,
  undoings: Undoings,
): Promise<LocalSystem> {
  const { network, folder, virtual, failover } = options;
  const layout = layOutOn(options);
  const identity = prepareFolder(layout);
  const postgres = await startPostgres({
    dataDir: layout.postgresData,
    settings: reachableFrom(network, folder),
  });
  undoings.teardown(() => postgres.stop());
  writeConfigFiles(layout, identity, postgres.url.replace('@127.0.0.1:', `@${network.own}:`), {
    hostChanges: (host) => ({
      failover,
      vip: { address: virtual, interface: 'eth0' },
      heartbeat: {
        listen: `${network.host(host.node).ip}:${HEARTBEAT_PORT}`,
        url: host.heartbeatUrl,
        peers: layout.hosts.filter((each) => each !== host).map((each) => each.heartbeatUrl),
      },
      controller: { listen: `[::]:${CONTROLLER_PORT}`, url: host.controllerUrl },
    }),
  });
  await createPair({
    ...{ pair: identity.pair, database: postgres.url, schema: 'understudy' },
    keystore: layout.keystoreFile,
  });
  const keep = (name: string, verb: 'heartbeat' | 'agent', file: string, logFile: string) => {
    const own = [process.execPath, COMMAND, verb, '--config', file];
    const command = [...network.host(name).prefix, ...own];
    const kept = keepProcess({ name, command, logFile, onEnd: () => undefined });
    undoings.teardown(() => kept.stop());
    return kept;
  };
  const hosts = layout.hosts.map((host) => ({
    ...host,
    process: keep(host.node, 'heartbeat', host.file, host.log),
  }));
  const workers = layout.workers.map((worker) => ({
    ...worker,
    process: keep(worker.agent, 'agent', worker.file, worker.log),
  }));
  const stop = () => undoings.undo();
  return { layout, token: identity.token, postgres, hosts, workers, stop };
}

function layOutOn({ network, folder, agents, virtual }: HostsSystemOptions): Layout {
  const layout = layOut(join(folder, 'system'), null, agents);
  return {
    ...layout,
    frontPort: CONTROLLER_PORT,
    frontUrl: `http://${withoutPrefix(virtual)}:${CONTROLLER_PORT}`,
    hosts: layout.hosts.map((host) => ({
      ...host,
      heartbeatPort: HEARTBEAT_PORT,
      controllerPort: CONTROLLER_PORT,
      heartbeatUrl: `http://${network.host(host.node).ip}:${HEARTBEAT_PORT}`,
      controllerUrl: `http://${network.host(host.node).ip}:${CONTROLLER_PORT}`,
    })),
  };
}

/** An address without the length of its prefix. */
export function withoutPrefix(address: string): string {
  return address.split('/', 1)[0] ?? address;
}

/** Runs `understudy` with these arguments, as on a command line. */
export function understudyCommand(...args: readonly string[]): readonly string[] {
  return [process.execPath, COMMAND, ...args];
}
