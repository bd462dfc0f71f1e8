import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf, UserError } from '@understudy/shared/runtime/errors';
import pg from 'pg';
import { type Account, chooseAccount } from './account.ts';
import { type Binaries, findBinaries } from './binaries.ts';
import { CLUSTER_USER, type Cluster, postgresEnvironment, prepareCluster } from './cluster.ts';
import { endServer, hasEnded } from './end.ts';
import { freePort, isPortFree, portHolder } from './port.ts';

export interface PostgresOptions {
  /** Holds the cluster, its password and its log. Made when it is missing. */
  readonly dataDir: string;
  /** Default: any free port. Listens on 127.0.0.1 only. */
  readonly port?: number;
  /** On top of our own, for instance `{ fsync: 'off' }`. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** A running PostgreSQL of our own. */
export interface Postgres {
  /** Of the database `understudy`, with the password. */
  readonly url: string;
  readonly port: number;
  readonly dataDir: string;
  /** Of the postmaster. Null while it is stopped. */
  readonly pid: number | null;
  /** Settles when the server process that runs now has ended, however it ended. */
  whenEnded(): Promise<void>;
  /** Makes an empty database, replacing one of that name, and gives its URL. */
  createDatabase(name: string): Promise<string>;
  /** Ends all connections and writes everything out. */
  stop(): Promise<void>;
  /** Ends it at once, as a crash would: the next start recovers from the log. */
  kill(): Promise<void>;
  /** Starts it again, on the same port and data; stops it first when it runs. */
  restart(): Promise<void>;
}

const READY_WITHIN_MS = 60_000;

/**
 * Starts PostgreSQL, from the programs that npm installed, on a data folder of its own, and waits
 * until it answers. Works as root and as a plain user. It does not outlive this process.
 */
export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const dataDir = resolve(options.dataDir);
  const binaries = findBinaries();
  const account = chooseAccount(binaries, dataDir);
  const cluster = await prepareCluster(dataDir, binaries, account);
  const port = options.port ?? (await freePort());
  const logFile = join(dataDir, 'postgres.log');
  const settings = { ...ownSettings, ...options.settings, port: `${port}` };
  closeSync(openSync(logFile, 'w', 0o600));
  const launch = async (): Promise<ChildProcess> => {
    if (!(await isPortFree(port))) {
      throw new UserError(
        `port ${port} of 127.0.0.1, for PostgreSQL, is in use${portHolder(port)}`,
      );
    }
    const server = spawnServer({ binaries, account, cluster, settings, logFile });
    await untilReady(server, urlOf(cluster, port, 'postgres'), logFile);
    return server;
  };

  let server = await launch();
  const end = async (signal: NodeJS.Signals) => {
    await endServer(server, signal);
  };
  await makeDatabase(urlOf(cluster, port, 'postgres'), 'understudy');
  return {
    url: urlOf(cluster, port, 'understudy'),
    port,
    dataDir,
    get pid() {
      return hasEnded(server) ? null : (server.pid ?? null);
    },
    whenEnded: async () => {
      if (!hasEnded(server)) await once(server, 'exit');
    },
    createDatabase: async (name) => {
      await withClient(urlOf(cluster, port, 'postgres'), async (client) => {
        await client.query(`drop database if exists ${client.escapeIdentifier(name)} with (force)`);
      });
      await makeDatabase(urlOf(cluster, port, 'postgres'), name);
      return urlOf(cluster, port, name);
    },
    stop: () => end('SIGINT'),
    kill: () => end('SIGQUIT'),
    restart: async () => {
      await end('SIGINT');
      server = await launch();
    },
  };
}

const ownSettings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  wal_level: 'logical',
  max_prepared_transactions: '0',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_line_prefix: '%m [%p] ',
  // A statement whose client is gone would otherwise keep its locks until it is done.
  client_connection_check_interval: '1s',
};

/** Goes on only if the parent still lives; before the tie is made the kernel would not tell of its end. */
const UNLESS_ORPHANED = '[ "$PPID" = "$0" ] || exit 1; exec "$@"';

interface ServerOptions {
  readonly binaries: Binaries;
  readonly account: Account;
  readonly cluster: Cluster;
  readonly settings: Readonly<Record<string, string>>;
  readonly logFile: string;
}

function spawnServer({
  binaries,
  account,
  cluster,
  settings,
  logFile,
}: ServerOptions): ChildProcess {
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  // SIGQUIT when this process ends: PostgreSQL then ends at once and takes its children along. The tie
  // is made under the final account, because the kernel cuts it when the account changes.
  const tie = ['setpriv', '--pdeathsig', 'QUIT', '--', 'sh', '-c', UNLESS_ORPHANED];
  const server = [binaries.postgres, '-D', cluster.folder, ...flags];
  const [program = '', ...args] = [...account.prefix, ...tie, `${process.pid}`, ...server];
  const log = openSync(logFile, 'a');
  try {
    return spawn(program, args, {
      cwd: '/',
      detached: true,
      env: postgresEnvironment(),
      stdio: ['ignore', log, log],
    });
  } finally {
    closeSync(log);
  }
}

async function untilReady(server: ChildProcess, url: string, logFile: string): Promise<void> {
  let problem: unknown = null;
  server.on('error', (error) => {
    problem = error;
  });
  const deadline = performance.now() + READY_WITHIN_MS;
  while (performance.now() < deadline) {
    if (server.pid === undefined || hasEnded(server)) break;
    try {
      await withClient(url, (client) => client.query('select 1'));
      return;
    } catch (error) {
      problem = error;
      await delay(20);
    }
  }
  if (!hasEnded(server)) server.kill('SIGKILL');
  const lines = readFileSync(logFile, 'utf8').trim().split('\n').slice(-5);
  const said = lines.join('\n').trim() || messageOf(problem);
  throw new UserError(`PostgreSQL did not start (log ${logFile}):\n${said}`);
}

function urlOf(cluster: Cluster, port: number, database: string): string {
  return `postgres://${CLUSTER_USER}:${cluster.password}@127.0.0.1:${port}/${database}`;
}

async function makeDatabase(url: string, name: string): Promise<void> {
  await withClient(url, async (client) => {
    const found = await client.query('select 1 from pg_database where datname = $1', [name]);
    if (found.rowCount === 0) {
      await client.query(`create database ${client.escapeIdentifier(name)}`);
    }
  });
}

async function withClient(
  url: string,
  use: (client: pg.Client) => Promise<unknown>,
): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  // A server that ends under an idle connection is told to the query, not to the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await use(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}
