import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Failure } from '@understudy/shared/kernel/promise';
import { UserError } from '@understudy/shared/runtime/errors';
import { type ApiClient, makeApiClient } from '../cli/client/api-client.ts';
import { listAgents } from '../cli/commands/agent.ts';
import { promiseRows } from '../cli/explain/promise-table.ts';
import { layOut } from '../local/layout.ts';
import { type LocalSystem, startSystem } from '../local/system.ts';
import { findActive, statusesOf } from './pair.ts';
import { type Prober, startProber } from './prober.ts';
import { TcpProxy } from './proxy/proxy.ts';
import { prepareWork, tellFaults, type Workload } from './work.ts';

export interface StageOptions {
  readonly portBase: number;
  /** As of `failover.target`. */
  readonly targetMs: number;
  /** So many runs are under way when something happens. */
  readonly jobs: number;
  /** Each host reaches the database through a proxy of its own. */
  readonly isProxied: boolean;
  /** The logs are copied here at the end; undefined: they go with all the rest. */
  readonly logs?: string | undefined;
}

/** A whole system of the benchmark's own, wherever its hosts are. */
export interface StagedPair {
  readonly system: LocalSystem;
  readonly token: string;
  readonly api: ApiClient;
  readonly work: Workload;
  /** As of `failover.target`. */
  readonly targetMs: number;
  /** So many runs are under way when something happens. */
  readonly jobs: number;
  /** The worst case by the settings, as the pair itself tells it. */
  promisedMs(failure: Failure): number;
  close(): Promise<void>;
}

/** A system on this machine alone, with what the scenarios need. */
export interface Stage extends StagedPair, StageOptions {
  /** How this node reaches the database; only where it is proxied. */
  databaseLinkOf(node: string): TcpProxy;
  /** Asks at every address at which users could be served. */
  startProber(): Prober;
}

/** A benchmark has more fail-overs than a pair in service would stand. */
export const FAILOVER_LIMIT = 1_000_000;
export const AGENTS = 2;
const AGENTS_WITHIN_MS = 60_000;
/** One that started in the last round has not rehearsed yet, or is about to, and is slower than one that waits for its hour. */
const REHEARSED_AFTER_MS = 6_000;

/** Starts a system in a temporary folder and waits until its pair is whole. */
export async function openStage(options: StageOptions): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'understudy-bench-'));
  const links = new Map<string, TcpProxy>();
  let system: LocalSystem | null = null;
  const close = async () => {
    await system?.stop();
    for (const link of links.values()) await link.close();
    if (options.logs !== undefined && system !== null) {
      const kind = options.isProxied ? 'proxied' : 'plain';
      cpSync(system.layout.logs, join(options.logs, kind), { recursive: true });
    }
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const data = join(folder, 'system');
    const { hosts, postgresPort } = layOut(data, options.portBase, AGENTS);
    for (const { node } of options.isProxied ? hosts : []) {
      links.set(node, await TcpProxy.start(0, postgresPort));
    }
    system = await startSystem({
      data,
      portBase: options.portBase,
      agents: AGENTS,
      hostChanges: ({ node }, database) => ({
        failover: { target: `${options.targetMs}ms`, limit: FAILOVER_LIMIT },
        database: over(links.get(node), database),
      }),
    });
    const furnished = await furnish(options, system, folder);
    const { layout, token } = system;
    const ports = [layout.frontPort, ...layout.hosts.map((host) => host.controllerPort)];
    const targets = ports.map((port) => ({ host: '127.0.0.1', port }));
    const databaseLinkOf = (node: string): TcpProxy => {
      const link = links.get(node);
      if (link === undefined) throw new Error(`${node} reaches its database without a proxy`);
      return link;
    };
    return {
      ...{ ...options, ...furnished, databaseLinkOf, close },
      startProber: () => startProber({ targets, path: '/api/v1/pair', token }),
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Runs that are under way while something happens. */
export interface WorkUnderWay {
  /** Waits until all of them are over; what was wrong with them. */
  complaints(): Promise<readonly string[]>;
}

/**
 * Starts the runs of one round, once both agents have found the controller that is active now, and the one that waits has
 * practised: what is promised is promised of a warm pair.
 */
export async function startWork({ api, work, jobs }: StagedPair): Promise<WorkUnderWay> {
  await delay(REHEARSED_AFTER_MS);
  await agentsConnected(api);
  const ids = await work.start(jobs);
  return {
    complaints: async () => {
      const found = tellFaults(await work.judge(ids));
      if (ids.length < jobs) found.push(`only ${ids.length} of ${jobs} runs were accepted`);
      return found;
    },
  };
}

/** Waits until the pair is whole and warm, and gives what every stage has. */
export async function furnish(
  { targetMs, jobs }: Pick<StagedPair, 'targetMs' | 'jobs'>,
  system: LocalSystem,
  folder: string,
): Promise<Omit<StagedPair, 'close'>> {
  const { layout, token } = system;
  await findActive(system);
  const api = makeApiClient({
    controllers: [layout.frontUrl],
    heartbeats: layout.hosts.map((host) => host.heartbeatUrl),
    token,
    timeoutMs: 60_000,
  });
  const promises = promiseRows(await statusesOf(system));
  return {
    ...{ targetMs, jobs, system, token, api },
    work: await prepareWork(api, folder),
    promisedMs: (failure) => {
      const promised = promises.find((row) => row.failure === failure)?.promisedMs ?? null;
      if (promised === null) throw new UserError(`the pair tells no promise for ${failure}`);
      return promised;
    },
  };
}

/** The database's URL by way of a proxy, where there is one. */
function over(link: TcpProxy | undefined, database: string): string {
  if (link === undefined) return database;
  const url = new URL(database);
  url.port = `${link.port}`;
  return url.href;
}

async function agentsConnected(api: ApiClient): Promise<void> {
  const deadline = performance.now() + AGENTS_WITHIN_MS;
  while (performance.now() < deadline) {
    const agents = await listAgents(api);
    if (agents.filter((agent) => agent.state === 'connected').length >= AGENTS) return;
    await delay(50);
  }
  throw new UserError(`the agents did not connect within ${AGENTS_WITHIN_MS / 1_000} s`);
}
