import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { BulkAnswer, BulkRequest, PairView } from '@understudy/shared/protocol/api';
import { UserError } from '@understudy/shared/runtime/errors';
import pg from 'pg';
import { type LocalSystem, startSystem } from '../../local/system.ts';
import { type ActiveHost, findActive } from '../pair.ts';
import { type HttpAnswer, HttpConnection } from './http-connection.ts';

export interface StageOptions {
  readonly portBase: number;
  /** Real agents, each a process of its own. */
  readonly agents: number;
  readonly slots: number;
  /** Of its processes, beside that of this one. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Their `failover.target`; longer than the default where a busy machine must not move the role. */
  readonly target?: string;
}

/** A pair of its own, on one PostgreSQL with its usual durability, and ways to give it work. */
export interface Stage {
  readonly system: LocalSystem;
  readonly token: string;
  /** The host that was active when the stage was opened. */
  readonly active: ActiveHost;
  readonly controllerPorts: readonly number[];
  readonly database: pg.Client;
  /** A connection to the active controller. */
  connect(): HttpConnection;
  ask(method: 'GET' | 'POST' | 'PUT', path: string, body?: unknown): Promise<HttpAnswer>;
  close(): Promise<void>;
}

const WITHIN_MS = 60_000;

/** Starts a system in a temporary folder and waits until its pair is whole. */
export async function openStage(options: StageOptions): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'understudy-work-'));
  let system: LocalSystem | null = null;
  let database: pg.Client | null = null;
  const close = async () => {
    await database?.end().catch(() => undefined);
    await system?.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    system = await startSystem({
      data: join(folder, 'system'),
      portBase: options.portBase,
      agents: options.agents,
      environment: options.environment ?? {},
      // The passive node stays passive, whatever a measurement does to the active one.
      hostChanges: () => ({ failover: { limit: 1_000_000, target: options.target ?? '2s' } }),
      workerChanges: () => ({ slots: options.slots }),
    });
    const active = await findActive(system);
    const client = new pg.Client({ connectionString: system.postgres.url });
    client.on('error', () => undefined);
    database = client;
    await client.connect();
    await client.query('set search_path to understudy');
    const { token, layout } = system;
    const connect = () => new HttpConnection(active.host.controllerPort, token);
    const ask: Stage['ask'] = async (method, path, body) => {
      const connection = connect();
      try {
        const text = body === undefined ? undefined : JSON.stringify(body);
        return await connection.request({ method, path, body: text });
      } finally {
        connection.close();
      }
    };
    const controllerPorts = layout.hosts.map((host) => host.controllerPort);
    return { system, token, active, controllerPorts, database: client, connect, ask, close };
  } catch (error) {
    await close();
    throw error;
  }
}

export async function putJob(stage: Stage, name: string, job: object): Promise<void> {
  const answer = await stage.ask('PUT', `/api/v1/jobs/${name}`, job);
  if (answer.status < 300) return;
  throw new UserError(`job ${name} was refused (${answer.status}): ${answer.body.slice(0, 300)}`);
}

export async function pairOf(stage: Stage): Promise<PairView> {
  const { status, body } = await stage.ask('GET', '/api/v1/pair');
  if (status === 200) return JSON.parse(body) as PairView;
  throw new UserError(`the pair was answered ${status}: ${body.slice(0, 300)}`);
}

/** Waits until so many agents are connected to the active controller. */
export async function untilConnected(stage: Stage, count: number): Promise<void> {
  await until(`${count} agents connect`, async () => {
    return (await pairOf(stage)).agents.connected >= count;
  });
}

/** Waits until no run is open. */
export async function untilDone(stage: Stage, withinMs: number): Promise<void> {
  const isDone = async () => {
    const { queued, dispatched, running } = (await pairOf(stage)).runs;
    return queued + dispatched + running === 0;
  };
  await until('all runs are over', isDone, withinMs);
}

const MOST_AT_ONCE = 10_000;

/** Asks for so many runs of a job by bulk requests, one after the other; refused ones are asked for again. */
export async function submitBulk(stage: Stage, job: string, count: number): Promise<void> {
  const connection = stage.connect();
  const prefix = `${process.hrtime.bigint()}`;
  const deadline = performance.now() + 10 * WITHIN_MS;
  try {
    for (let from = 0; from < count; ) {
      const size = Math.min(MOST_AT_ONCE, count - from);
      const runs = Array.from({ length: size }, (_, index) => {
        return { job, idempotencyKey: `${prefix}-${from + index}` };
      });
      const body = JSON.stringify({ runs } satisfies BulkRequest);
      const answer = await connection.request({ method: 'POST', path: '/api/v1/runs', body });
      if (answer.status === 503 && performance.now() < deadline) {
        await delay(50);
        continue;
      }
      if (answer.status !== 200) throw new UserError(`bulk: ${answer.status} ${answer.body}`);
      const { items } = JSON.parse(answer.body) as BulkAnswer;
      const refused = items.find((item) => item.outcome === 'refused');
      if (refused !== undefined) throw new UserError(`bulk: ${JSON.stringify(refused)}`);
      from += size;
    }
  } finally {
    connection.close();
  }
}

/** How many runs of a job succeeded, by what the database says. */
export async function countSucceeded(stage: Stage, job: string): Promise<number> {
  const { rows } = await stage.database.query<{ count: string }>(
    `select count(*) from run where job = $1 and state = 'succeeded'`,
    [job],
  );
  return Number(rows[0]?.count ?? 0);
}

export async function until(
  what: string,
  holds: () => Promise<boolean>,
  withinMs = WITHIN_MS,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > deadline) {
      throw new UserError(`not within ${Math.round(withinMs / 1_000)} s: ${what}`);
    }
    await delay(50);
  }
}
