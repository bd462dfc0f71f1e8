import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { exitCodes, messageOf, UserError } from '@understudy/shared/runtime/errors';
import { stringify } from 'yaml';
import type { HostLayout, Layout, WorkerLayout } from './layout.ts';

/** What is made once for a folder and stays. */
export interface Identity {
  /**
   * The pair's name, another one for each folder: what runs on a host is told apart by the pair and the
   * node, and two systems of one name on one machine would end each other's processes.
   */
  readonly pair: string;
  readonly token: string;
}

/** Makes the folder of a one-machine system, with its name and token when there are none yet. */
export function prepareFolder(layout: Layout): Identity {
  try {
    // Others may pass through: PostgreSQL's data below belongs to another account when root starts it.
    mkdirSync(layout.folder, { recursive: true, mode: 0o755 });
    mkdirSync(layout.logs, { recursive: true });
    for (const { data } of layout.workers) mkdirSync(data, { recursive: true });
    const isOld = existsSync(layout.tokenFile);
    return {
      // What is in an older folder's database belongs to the name that every folder had.
      pair: keptText(layout.pairFile, isOld ? 'local' : `local-${randomBytes(3).toString('hex')}`),
      token: keptText(layout.tokenFile, randomBytes(24).toString('hex')),
    };
  } catch (error) {
    throw new UserError(
      `the folder ${layout.folder} can't be used: ${messageOf(error)}; ` +
        'start as the user who owns it, or name another with --data',
      exitCodes.badConfig,
    );
  }
}

/** What the file holds; at first the given text, from then on whatever it held then. */
function keptText(file: string, first: string): string {
  if (!existsSync(file)) writeFileSync(file, `${first}\n`, { mode: 0o600 });
  return readFileSync(file, 'utf8').trim();
}

/** What a host's configuration has in addition, or in place of the usual; only whole keys of the top level. */
export type HostChanges = (host: HostLayout, database: string) => object;
/** The same for the configuration of an agent. */
export type WorkerChanges = (worker: WorkerLayout) => object;

export interface ConfigChanges {
  readonly hostChanges?: HostChanges | undefined;
  readonly workerChanges?: WorkerChanges | undefined;
}

/** Writes the configuration files of all hosts. They are ours: changes made to them are lost at each start. */
export function writeConfigFiles(
  layout: Layout,
  identity: Identity,
  database: string,
  { hostChanges = () => ({}), workerChanges = () => ({}) }: ConfigChanges = {},
): void {
  for (const host of layout.hosts) {
    const config = hostConfig(host, layout, identity, database);
    writeConfig(host.file, { ...config, ...hostChanges(host, database) });
  }
  for (const worker of layout.workers) {
    const config = workerConfig(worker, layout, identity);
    writeConfig(worker.file, { ...config, ...workerChanges(worker) });
  }
}

function hostConfig(
  host: HostLayout,
  layout: Layout,
  { pair, token }: Identity,
  database: string,
): object {
  const others = layout.hosts.filter((other) => other.node !== host.node);
  return {
    pair,
    node: host.node,
    database,
    token,
    keystore: layout.keystoreFile,
    heartbeat: {
      listen: `127.0.0.1:${host.heartbeatPort}`,
      url: host.heartbeatUrl,
      peers: others.map((other) => other.heartbeatUrl),
    },
    controller: { listen: `127.0.0.1:${host.controllerPort}`, url: host.controllerUrl },
  };
}

function workerConfig(worker: WorkerLayout, layout: Layout, { pair, token }: Identity): object {
  return {
    pair,
    agent: worker.agent,
    controllers: layout.hosts.map((host) => host.controllerUrl),
    token,
    data: worker.data,
  };
}

function writeConfig(file: string, config: object): void {
  const head = '# Written by `understudy local` at each start.\n';
  writeFileSync(file, head + stringify(config), { mode: 0o600 });
}
