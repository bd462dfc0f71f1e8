import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { exitCodes, messageOf, UserError } from '@understudy/shared/runtime/errors';
import { stringify } from 'yaml';
import type { HostLayout, Layout, WorkerLayout } from './layout.ts';

/** The name of the pair that a one-machine system runs. */
export const LOCAL_PAIR = 'local';

/** Makes the folder of a one-machine system, and its token when there is none yet. Gives the token. */
export function prepareFolder(layout: Layout): string {
  try {
    // Others may pass through: PostgreSQL's data below belongs to another account when root starts it.
    mkdirSync(layout.folder, { recursive: true, mode: 0o755 });
    mkdirSync(layout.logs, { recursive: true });
    for (const { data } of layout.workers) mkdirSync(data, { recursive: true });
    if (!existsSync(layout.tokenFile)) {
      writeFileSync(layout.tokenFile, `${randomBytes(24).toString('hex')}\n`, { mode: 0o600 });
    }
    return readFileSync(layout.tokenFile, 'utf8').trim();
  } catch (error) {
    throw new UserError(
      `the folder ${layout.folder} can't be used: ${messageOf(error)}; ` +
        'start as the user who owns it, or name another with --data',
      exitCodes.badConfig,
    );
  }
}

/** Writes the configuration files of all hosts. They are ours: changes made to them are lost at each start. */
export function writeConfigFiles(layout: Layout, token: string, database: string): void {
  for (const host of layout.hosts) {
    writeConfig(host.file, hostConfig(host, layout, token, database));
  }
  for (const worker of layout.workers)
    writeConfig(worker.file, workerConfig(worker, layout, token));
}

function hostConfig(host: HostLayout, layout: Layout, token: string, database: string): object {
  const others = layout.hosts.filter((other) => other.node !== host.node);
  return {
    pair: LOCAL_PAIR,
    node: host.node,
    database,
    token,
    heartbeat: {
      listen: `127.0.0.1:${host.heartbeatPort}`,
      url: host.heartbeatUrl,
      peers: others.map((other) => other.heartbeatUrl),
    },
    controller: { listen: `127.0.0.1:${host.controllerPort}`, url: host.controllerUrl },
  };
}

function workerConfig(worker: WorkerLayout, layout: Layout, token: string): object {
  return {
    pair: LOCAL_PAIR,
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
