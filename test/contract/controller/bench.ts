import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createPair } from '@understudy/scripts/cli/create';
import { type Postgres, startPostgres } from '@understudy/scripts/postgres/start';
import { deriveTimers } from '@understudy/shared/kernel/timers';
import type { FromController, ToController } from '@understudy/shared/protocol/tenure';
import type { ControllerHostConfig, NodeTlsConfig } from '@understudy/shared/runtime/config/types';
import type { ExecutionContext } from 'ava';
import pg from 'pg';
import { takePort } from '../../support/cluster/ports.ts';

const controllerMain = fileURLToPath(import.meta.resolve('@understudy/controller/main'));
export const TOKEN = 'a-token-of-the-tests';
const PAIR = 'orders';
const LONG_MS = 120_000;

/** One PostgreSQL for a test file; each test has a database of its own. */
export async function startStore(): Promise<{ postgres: Postgres; end(): Promise<void> }> {
  const dataDir = mkdtempSync(join(tmpdir(), 'understudy-controller-'));
  const postgres = await startPostgres({ dataDir, settings: { fsync: 'off' } });
  return {
    postgres,
    end: async () => {
      await postgres.kill();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

export interface BenchOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly node?: string;
  /** Another controller, whose database it shares. */
  readonly beside?: Bench;
  readonly lostAfterMs?: number;
  /** The file of its key store, which is made with a database of its own. */
  readonly keystore?: string | null;
  /** What it is to say before it can be used. */
  readonly until?: 'ready' | 'notReady';
  readonly retention?: ControllerHostConfig['retention'];
  readonly outputLimit?: number;
  /** The files of its certificate: it speaks TLS. */
  readonly tls?: NodeTlsConfig | null;
}

/** All history is kept. */
export const keepAll: ControllerHostConfig['retention'] = {
  ...{ runs: { ageMs: null, count: null }, eventsMs: null, auditMs: null, everyMs: 600_000 },
};

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: never;
}

/** A real controller process, spoken with as its heartbeat does. */
export class Bench {
  readonly url: string;
  readonly child: ChildProcess;
  readonly ended: Promise<unknown>;
  readonly database: string;
  readonly #heard: FromController[] = [];

  private constructor(child: ChildProcess, url: string, database: string) {
    this.child = child;
    this.url = url;
    this.database = database;
    this.ended = once(child, 'exit');
    child.on('message', (message) => {
      this.#heard.push(message as FromController);
      child.emit('heard');
    });
  }

  /** Starts a controller, on a database of its own unless it is to share one, and waits until it is ready. */
  static async start(
    t: ExecutionContext,
    postgres: Postgres,
    {
      env = {},
      node = 'a',
      beside,
      lostAfterMs = 60_000,
      keystore = null,
      until = 'ready',
      retention = keepAll,
      outputLimit = 64 * 1024 ** 2,
      tls = null,
    }: BenchOptions = {},
  ): Promise<Bench> {
    const schema = 'understudy';
    const database = beside?.database ?? (await newDatabase(postgres, schema, keystore));
    const listen = { host: '127.0.0.1', port: await takePort() };
    const url = `${tls === null ? 'http' : 'https'}://127.0.0.1:${listen.port}`;
    const child = fork(controllerMain, { env: { ...process.env, ...env }, stdio: 'inherit' });
    const bench = new Bench(child, url, database);
    t.teardown(async () => {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await bench.ended;
    });
    const config = {
      ...{ pair: PAIR, node, schema, token: TOKEN, database, keystore, tls },
      controller: { listen, url },
      vip: [],
      timers: deriveTimers(2_000).timers,
      agents: { beatEveryMs: 500, lostAfterMs },
      ...{ retention, output: { limitBytes: outputLimit } },
      log: { level: 'error', format: 'text' },
    };
    bench.tell({ type: 'configure', config });
    await bench.said(until);
    return bench;
  }

  tell(message: ToController): void {
    this.child.send(message);
  }

  async said(type: FromController['type']): Promise<FromController> {
    for (;;) {
      const found = this.#heard.find((message) => message.type === type);
      if (found !== undefined) return found;
      await once(this.child, 'heard', { signal: AbortSignal.timeout(LONG_MS) });
    }
  }

  /** Raises the fence to a term, as a grant does, and activates for so long. */
  async activate(term: bigint, forMs = LONG_MS): Promise<void> {
    await this.grant(term);
    this.tell({ type: 'activate', tenure: tenure(term, forMs) });
    await this.said('serving');
  }

  /** Moves the deadline, as the heartbeat does after a renewal, or by the consent of its peers. */
  extend(term: bigint, forMs: number, failsafe: boolean): void {
    this.tell({ type: 'extend', tenure: tenure(term, forMs), failsafe });
  }

  async grant(term: bigint): Promise<void> {
    await this.query(`begin; set local search_path to understudy; select close_fence('${PAIR}');
      update fence set term = ${term} where pair = '${PAIR}'; commit`);
  }

  /** Looks into the database, past the controller. */
  async query(text: string): Promise<unknown[]> {
    const client = new pg.Client({ connectionString: this.database });
    await client.connect();
    const { rows } = await client.query<Record<string, unknown>>(text);
    await client.end();
    return rows;
  }

  async ask(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${TOKEN}`,
        'content-type': 'application/json',
        connection: 'close',
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const parsed = text === '' ? null : JSON.parse(text);
    return { status: response.status, headers: response.headers, body: parsed as never };
  }
}

async function newDatabase(
  postgres: Postgres,
  schema: string,
  keystore: string | null,
): Promise<string> {
  const database = await postgres.createDatabase(`c${randomUUID().replaceAll('-', '')}`);
  await createPair({ pair: PAIR, database, schema, keystore });
  return database;
}

function tenure(term: bigint, forMs: number): { term: string; trustedUntilNs: string } {
  const trustedUntilNs = process.hrtime.bigint() + BigInt(forMs) * 1_000_000n;
  return { term: `${term}`, trustedUntilNs: `${trustedUntilNs}` };
}
