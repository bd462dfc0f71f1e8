import { Socket } from 'node:net';
import pg from 'pg';
import {
  clientConfig,
  type DatabaseUrl,
  parseDatabaseUrl,
  type Server,
  type SessionOptions,
} from './database-url.ts';
import { messageOf } from './errors.ts';

export interface DatabaseOptions extends SessionOptions {
  /** `postgres://user:pw@h1:5432,h2:5432/db`; of several hosts the writable one is used. */
  readonly database: string;
  /** Time limit of connecting, the search for the writable server included. Default 5 s. */
  readonly connectTimeoutMs?: number;
}

export interface PoolOptions extends DatabaseOptions {
  readonly max: number;
  /** Connections that are kept open though idle. Default: all of them. */
  readonly min?: number;
}

/** A connection whose owner can end it at once, whatever state the network is in. */
export interface Connection {
  /** Its failures are told by its `end` event and by what is under way; `error` need not be listened to. */
  readonly client: pg.Client;
  /** The server that was chosen, as `host:port`. */
  readonly server: string;
  /** Destroys the socket. Statements under way are rejected; the server may still execute them. */
  destroy(): void;
}

const DEFAULT_CONNECT_TIMEOUT_MS = 5_000;

/**
 * Connects to the server that takes writes. All hosts of the URL are asked at once, so a dark one
 * costs no time; the first that is neither in recovery nor read only wins. Rejects with one error
 * that says what each host answered.
 */
export async function connectWritable(options: DatabaseOptions): Promise<Connection> {
  const url = parseDatabaseUrl(options.database);
  const limitMs = options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS;
  const candidates = url.servers.map((server) => open(url, server, options));
  const limit = setTimeout(() => {
    for (const candidate of candidates) candidate.destroy(`no answer within ${limitMs} ms`);
  }, limitMs);
  try {
    const chosen = await Promise.any(candidates.map((candidate) => candidate.connected));
    for (const other of candidates) if (other.client !== chosen.client) other.destroy('not needed');
    return chosen;
  } catch (error) {
    for (const candidate of candidates) candidate.destroy('not needed');
    const reasons = error instanceof AggregateError ? error.errors : [error];
    throw new Error(`no writable PostgreSQL server: ${reasons.map(messageOf).join('; ')}`);
  } finally {
    clearTimeout(limit);
  }
}

/**
 * A pool that holds connections to the writable server only. A server that has become a replica is
 * noticed when a connection is opened; `connect` rejects then, and the next one searches again. Its
 * `error` events (idle connections that ended) are the caller's to listen to.
 */
export function makePool(options: PoolOptions): pg.Pool {
  const url = parseDatabaseUrl(options.database);
  const [first] = url.servers;
  if (first === undefined) throw new Error('a database URL has at least one server');
  return new pg.Pool({
    ...clientConfig(url, first, options),
    connectionTimeoutMillis: options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS,
    max: options.max,
    min: options.min ?? options.max,
    Client: writableClient(url, options),
  });
}

interface Candidate extends Connection {
  readonly connected: Promise<Connection>;
  destroy(reason?: string): void;
}

function open(url: DatabaseUrl, server: Server, options: DatabaseOptions): Candidate {
  // The socket is ours: a client offers no way to drop a connection that does not answer.
  const socket = new Socket();
  const client = new pg.Client({ ...clientConfig(url, server, options), stream: () => socket });
  let reason: string | null = null;
  client.on('error', (error) => {
    reason ??= error.message;
  });
  const destroy = (why = 'closed') => {
    reason ??= why;
    socket.destroy();
  };
  const connect = async () => {
    try {
      await client.connect();
      await requireWritable(client);
      return { client, server: server.name, destroy: () => destroy() };
    } catch (error) {
      destroy(messageOf(error));
      throw new Error(`${server.name}: ${reason}`);
    }
  };
  return { client, server: server.name, destroy, connected: connect() };
}

async function requireWritable(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ recovering: boolean; read_only: string }>(
    "select pg_is_in_recovery() as recovering, current_setting('transaction_read_only') as read_only",
  );
  if (rows[0]?.recovering !== false) throw new Error('in recovery, not writable');
  if (rows[0].read_only !== 'off') throw new Error('read only');
}

/** The pool makes its clients by class: this one aims itself at the writable server when it connects. */
function writableClient(url: DatabaseUrl, options: DatabaseOptions): typeof pg.Client {
  let known: Server | null = null;

  async function find(): Promise<Server | null> {
    if (url.servers.length === 1 || known !== null) return known;
    const probe = await connectWritable(options);
    probe.destroy();
    return url.servers.find(({ name }) => name === probe.server) ?? null;
  }

  return class WritableClient extends pg.Client {
    override connect(): Promise<this>;
    override connect(callback: (error: Error) => void): void;
    override connect(callback?: (error: Error) => void): Promise<this> | undefined {
      const connected = this.#connectWritable();
      if (callback === undefined) return connected;
      const done = callback as (error?: Error) => void;
      connected.then(() => done(), done);
      return undefined;
    }

    async #connectWritable(): Promise<this> {
      // A connection that ends while nobody listens must not end the process; what is under way rejects.
      this.on('error', () => undefined);
      try {
        const server = await find();
        if (server !== null) Object.assign(this, { host: server.host, port: server.port });
        await super.connect();
        await requireWritable(this);
        known = server;
        return this;
      } catch (error) {
        known = null;
        this.end().catch(() => undefined);
        throw error;
      }
    }
  };
}
