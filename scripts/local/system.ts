import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { exitCodes, UserError } from '@understudy/shared/runtime/errors';
import { createPair } from '../cli/create.ts';
import { isPortFree, portHolder } from '../postgres/port.ts';
import { type Postgres, startPostgres } from '../postgres/start.ts';
import { type ConfigChanges, prepareFolder, writeConfigFiles } from './files.ts';
import { type Front, startFront } from './front.ts';
import {
  type KeptOptions,
  type KeptProcess,
  keepProcess,
  type ProcessEnd,
} from './kept-process.ts';
import { type HostLayout, type Layout, layOut, portsOf, type WorkerLayout } from './layout.ts';

export interface LocalOptions extends ConfigChanges {
  /** Holds everything: database, configuration, logs, token. */
  readonly data: string;
  /** Null: the documented ports, 7300 and so on. Else six ports from here on. */
  readonly portBase: number | null;
  readonly agents: number;
  /** Of its processes, beside that of this one. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly onEnd?: (end: ProcessEnd) => void;
}

export interface LocalHost extends HostLayout {
  readonly process: KeptProcess;
}

export interface LocalWorker extends WorkerLayout {
  readonly process: KeptProcess;
}

/** A whole Understudy on this machine. */
export interface LocalSystem {
  readonly layout: Layout;
  readonly token: string;
  readonly postgres: Postgres;
  readonly hosts: readonly LocalHost[];
  readonly workers: readonly LocalWorker[];
  /** Ends everything, agents first, PostgreSQL last. */
  stop(): Promise<void>;
}

/** What a process that was killed a moment ago still holds is free soon. */
const PORTS_FREE_WITHIN_MS = 3_000;

/**
 * Starts PostgreSQL, prepares the database, and runs two controller hosts, the agents and one address
 * in front, each a process of its own that is started again when it ends. Everything is tied to
 * this process's life.
 */
export async function startSystem(options: LocalOptions): Promise<LocalSystem> {
  const layout = layOut(resolve(options.data), options.portBase, options.agents);
  await checkPorts(layout);
  const identity = prepareFolder(layout);
  const postgres = await startPostgres({
    dataDir: layout.postgresData,
    port: layout.postgresPort,
  });
  const onEnd = options.onEnd ?? (() => undefined);
  let front: Front | null = null;
  try {
    writeConfigFiles(layout, identity, postgres.url, options);
    await createPair({
      ...{ pair: identity.pair, database: postgres.url, schema: 'understudy' },
      keystore: layout.keystoreFile,
    });
    front = await startFront({
      port: layout.frontPort,
      upstreams: layout.hosts.map((host) => ({ host: '127.0.0.1', port: host.controllerPort })),
    });
  } catch (error) {
    await front?.close();
    await postgres.stop();
    throw error;
  }
  const about = { environment: options.environment ?? {}, onEnd };
  const hosts = layout.hosts.map((host) => ({
    ...host,
    process: keep(`heartbeat of ${host.node}`, 'heartbeat', host, about),
  }));
  const workers = layout.workers.map((worker) => ({
    ...worker,
    process: keep(`agent ${worker.agent}`, 'agent', worker, about),
  }));
  const isStopping = new AbortController();
  void keepPostgres(postgres, isStopping.signal, onEnd);
  return {
    layout,
    token: identity.token,
    postgres,
    hosts,
    workers,
    stop: async () => {
      isStopping.abort();
      await Promise.all(workers.map((worker) => worker.process.stop()));
      await Promise.all(hosts.map((host) => host.process.stop()));
      await front.close();
      await postgres.stop();
    },
  };
}

const COMMAND = fileURLToPath(new URL('../../bin/understudy.js', import.meta.url));

function keep(
  name: string,
  verb: 'heartbeat' | 'agent',
  { file, log }: { readonly file: string; readonly log: string },
  about: Pick<KeptOptions, 'environment' | 'onEnd'>,
): KeptProcess {
  const command = [process.execPath, COMMAND, verb, '--config', file];
  return keepProcess({ name, command, logFile: log, ...about });
}

async function keepPostgres(
  postgres: Postgres,
  stopping: AbortSignal,
  onEnd: (end: ProcessEnd) => void,
): Promise<void> {
  for (;;) {
    await postgres.whenEnded();
    if (stopping.aborted) return;
    onEnd({
      name: 'PostgreSQL',
      how: 'nobody asked it to',
      restartInMs: 0,
      logFile: join(postgres.dataDir, 'postgres.log'),
    });
    for (;;) {
      try {
        await postgres.restart();
        break;
      } catch {
        // Its log says why; it may recover, for instance once the disk has room again.
        await delay(1_000, null, { signal: stopping }).catch(() => undefined);
        if (stopping.aborted) return;
      }
    }
  }
}

async function checkPorts(layout: Layout): Promise<void> {
  const deadline = performance.now() + PORTS_FREE_WITHIN_MS;
  for (;;) {
    const busy: string[] = [];
    for (const { port, use } of portsOf(layout)) {
      if (!(await isPortFree(port))) busy.push(`${port}, for ${use}${portHolder(port)}`);
    }
    if (busy.length === 0) return;
    if (performance.now() > deadline) {
      throw new UserError(
        `ports of 127.0.0.1 are in use: ${busy.join('; ')}. Nothing was started. ` +
          'End what uses them, or choose others with --port-base',
        exitCodes.badConfig,
      );
    }
    await delay(100);
  }
}
