import type { ClientConfig } from 'pg';
import { exitCodes, UserError } from './errors.ts';

/** One server out of a database URL, as pg connects to it. */
export interface Server {
  /** `host:port`, for messages; never holds the password. */
  readonly name: string;
  /** A URL with this one host. */
  readonly connectionString: string;
  /** Host and port apart, to aim a client that exists already. */
  readonly host: string;
  readonly port: number;
}

export interface DatabaseUrl {
  readonly servers: readonly Server[];
  /** The `options` parameter of the URL, which would otherwise replace our own. */
  readonly options: string;
}

/**
 * Takes apart `postgres://user:pw@h1:5432,h2:5432/db?sslmode=require`. pg itself knows one host only.
 * A host may be an IPv6 address in brackets, or the percent-encoded path of a socket folder.
 */
export function parseDatabaseUrl(database: string): DatabaseUrl {
  const match = /^(postgres(?:ql)?):\/\/(?:(.*)@)?([^/?#]*)(\/[^?#]*)?(?:\?([^#]*))?$/.exec(
    database,
  );
  if (match === null) throw badUrl('expected postgres://user:password@host:port,host:port/name');
  const [, scheme = 'postgres', user, hosts = '', path = '', query = ''] = match;
  const parameters = new URLSearchParams(query);
  const options = parameters.get('options') ?? '';
  for (const name of ['options', 'target_session_attrs']) parameters.delete(name);
  const head = `${scheme}://${user === undefined ? '' : `${user}@`}`;
  const tail = `${path}${parameters.size === 0 ? '' : `?${parameters.toString()}`}`;
  const servers = hosts.split(',').map((text) => {
    const { host, port } = parseHost(text, parameters.get('host'));
    return {
      name: host.startsWith('/') ? host : `${host}:${port}`,
      connectionString: `${head}${text}${tail}`,
      host,
      port,
    };
  });
  return { servers, options };
}

function parseHost(text: string, fallback: string | null): { host: string; port: number } {
  const match = /^(\[[0-9A-Fa-f:.]+\]|[^:[\]]*)(?::(\d{1,5}))?$/.exec(text);
  if (match === null) throw badUrl(`"${text}" is not host:port`);
  const [, name = '', port = '5432'] = match;
  if (Number(port) < 1 || Number(port) > 65_535) throw badUrl(`${port} is not a port`);
  const host = decodeURIComponent(name.replace(/^\[|\]$/g, ''));
  return { host: host || fallback || 'localhost', port: Number(port) };
}

// The URL holds a password, so a message never repeats it.
function badUrl(problem: string): UserError {
  return new UserError(`database: not a usable PostgreSQL URL: ${problem}`, exitCodes.badConfig);
}

/** What each connection asks of its server, so that nobody's locks outlive their host for long. */
export interface SessionOptions {
  readonly schema: string;
  readonly applicationName: string;
  /** Default 30 s. 0: no limit. */
  readonly statementTimeoutMs?: number;
  /** A transaction that idles for so long is ended by the server. Default 10 s. */
  readonly idleInTransactionTimeoutMs?: number;
  /** Default: no limit. */
  readonly lockTimeoutMs?: number;
  /** Prepared statements are planned once, whatever their parameters and however much the tables hold. */
  readonly genericPlans?: boolean;
  /**
   * Statements are sent without waiting for the answers to those before, and carried out in their order. Of a
   * transaction the first that fails says why; those after it fail because it is undone.
   */
  readonly pipelined?: boolean;
}

/**
 * The configuration of one client. The settings travel in the start-up packet: no round trip, and in
 * force from the first statement. The server gives up on a host that went dark after about five
 * seconds instead of two hours, and looks every half second whether the client of a running
 * statement still lives (PostgreSQL 14 and later).
 */
export function clientConfig(
  url: DatabaseUrl,
  server: Server,
  options: SessionOptions,
): ClientConfig {
  const settings = {
    search_path: searchPath(options.schema),
    // Whatever database and role prefer: above it a snapshot may be older than the lock that was waited for.
    default_transaction_isolation: 'read committed',
    statement_timeout: options.statementTimeoutMs ?? 30_000,
    idle_in_transaction_session_timeout: options.idleInTransactionTimeoutMs ?? 10_000,
    lock_timeout: options.lockTimeoutMs ?? 0,
    client_connection_check_interval: 500,
    tcp_keepalives_idle: 2,
    tcp_keepalives_interval: 1,
    tcp_keepalives_count: 3,
    tcp_user_timeout: 5_000,
    ...(options.genericPlans === true ? { plan_cache_mode: 'force_generic_plan' } : {}),
  };
  const ours = Object.entries(settings).map(([name, value]) => `-c ${name}=${escapeOption(value)}`);
  return {
    connectionString: server.connectionString,
    application_name: options.applicationName,
    pipeline: options.pipelined ?? false,
    keepAlive: true,
    keepAliveInitialDelayMillis: 2_000,
    options: [url.options, ...ours].filter((part) => part !== '').join(' '),
  };
}

/**
 * The search path of every connection: the schema alone. Temporary tables come last, because
 * functions that run with their owner's rights must not be fooled by a table of the caller's.
 */
export function searchPath(schema: string): string {
  return `${quoteIdentifier(schema)}, pg_temp`;
}

/** A name as an SQL identifier. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function escapeOption(value: string | number): string {
  return String(value).replaceAll(/[\\\s]/g, '\\$&');
}
