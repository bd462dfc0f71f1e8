import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makePostgresLease, type PostgresLease } from '@understudy/heartbeat/lease/postgres';
import {
  type Postgres,
  type PostgresOptions,
  startPostgres,
} from '@understudy/scripts/postgres/start';
import { clientConfig, parseDatabaseUrl } from '@understudy/shared/runtime/database-url';
import { silentLog } from '@understudy/shared/runtime/log';
import { migrate } from '@understudy/shared/runtime/migrate';
import type { ExecutionContext, TestFn } from 'ava';
import pg from 'pg';
import { takePort } from '../../support/cluster/ports.ts';

const PAIR = 'orders';
const SCHEMA = 'understudy';

/** One server for a test file, ended when the file is done. Gives a prepared database to each test. */
export function serverFor(
  test: TestFn<unknown>,
  options: Omit<PostgresOptions, 'dataDir'> = {},
): (t: ExecutionContext) => Promise<Store> {
  let server: Postgres | null = null;
  let count = 0;
  const folder = mkdtempSync(join(tmpdir(), 'understudy-lease-'));
  test.before(async () => {
    // The tests of a file run at once, each with many connections.
    const settings = { fsync: 'off', max_connections: '400', ...options.settings };
    const dataDir = join(folder, 'postgres');
    server = await startPostgres({ port: await takePort(), ...options, dataDir, settings });
  });
  test.after.always(async () => {
    await server?.kill();
    rmSync(folder, { recursive: true, force: true });
  });
  return async (t) => {
    if (server === null) throw new Error('the server has not started');
    count += 1;
    const store = await prepareStore(server, await server.createDatabase(`test_${count}`));
    t.teardown(() => store.close());
    return store;
  };
}

/** Migrates a database and prepares its pair. */
export async function prepareStore(server: Postgres, database: string): Promise<Store> {
  await migrate({ database, schema: SCHEMA, log: silentLog });
  const store = new Store(server, database);
  const client = await store.connect();
  await client.query('select prepare_pair($1)', [PAIR]);
  await client.end();
  return store;
}

export interface NodeOptions {
  readonly incarnation?: string;
  readonly callTimeoutMs?: number;
  readonly claimTimeoutMs?: number;
  /** Reaches the store through this port instead, a proxy's. */
  readonly port?: number;
}

/** A database with a prepared pair, and what a test opens on it. */
export class Store {
  readonly pair = PAIR;
  readonly schema = SCHEMA;
  readonly server: Postgres;
  readonly database: string;
  readonly #leases: PostgresLease[] = [];
  readonly #clients: pg.Client[] = [];

  constructor(server: Postgres, database: string) {
    this.server = server;
    this.database = database;
  }

  /** The lease as one life of one node sees it. */
  node(name: string, options: NodeOptions = {}): PostgresLease & { readonly incarnation: string } {
    const incarnation = options.incarnation ?? randomUUID();
    const lease = makePostgresLease({
      database: options.port === undefined ? this.database : this.through(options.port),
      schema: SCHEMA,
      pair: PAIR,
      holder: { node: name, incarnation },
      identity: {
        heartbeatUrl: `http://${name}:7400`,
        controllerUrl: `http://${name}:7300`,
        version: '0.0.0',
        bootId: 'boot',
        pid: 1,
        pidStart: '1',
      },
      callTimeoutMs: options.callTimeoutMs ?? 10_000,
      claimTimeoutMs: options.claimTimeoutMs ?? 10_000,
      log: silentLog,
    });
    this.#leases.push(lease);
    return { ...lease, incarnation };
  }

  /** A client as the controller has it, with the schema as its search path. */
  async connect(port = this.server.port): Promise<pg.Client> {
    const url = parseDatabaseUrl(this.through(port));
    const [server] = url.servers;
    if (server === undefined) throw new Error('the URL has no server');
    const options = { schema: SCHEMA, applicationName: 'test' };
    const client = new pg.Client(clientConfig(url, server, options));
    client.on('error', () => undefined);
    await client.connect();
    this.#clients.push(client);
    return client;
  }

  /** The URL of the database by way of another port. */
  through(port: number): string {
    const url = new URL(this.database);
    url.port = `${port}`;
    return url.href;
  }

  async close(): Promise<void> {
    await Promise.all(this.#leases.map((lease) => lease.close()));
    await Promise.all(this.#clients.map((client) => client.end().catch(() => undefined)));
  }
}
