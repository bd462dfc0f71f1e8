import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Connection, connectWritable } from './database.ts';
import { quoteIdentifier } from './database-url.ts';
import { exitCodes, UserError } from './errors.ts';

export interface SchemaOptions {
  readonly database: string;
  readonly schema: string;
}

/** How the schema in the database compares with the migrations of this installation. */
export interface SchemaVersion {
  /**
   * `missing`: nothing was prepared. `behind`: run `understudy create`. `ahead`: a newer version has
   * migrated it, and this one must not write to it.
   */
  readonly state: 'missing' | 'behind' | 'current' | 'ahead';
  /** The newest migration that was run. */
  readonly applied: string | null;
  /** The newest migration that this installation knows. */
  readonly known: string;
}

/** Where the migration library keeps what was run. */
export const MIGRATIONS_TABLE = 'migration';
const LOCK_TIMEOUT_MS = 2_000;

/** Compares the schema with this installation, without changing anything. Throws what the database says; `signal` ends the connection. */
export async function readSchemaVersion(
  options: SchemaOptions,
  signal?: AbortSignal,
): Promise<SchemaVersion> {
  requireUsableName(options.schema);
  return await withConnection(options, (connection) => {
    // A query on a link that went dark never ends by itself.
    signal?.addEventListener('abort', () => connection.destroy());
    return compareSchema(connection, options.schema);
  });
}

/** As `readSchemaVersion`, on a connection that is open. */
export async function compareSchema(
  { client }: Connection,
  schema: string,
): Promise<SchemaVersion> {
  const names = (await readdir(migrationsFolder())).filter((name) => name.endsWith('.sql')).sort();
  const known = names.map((name) => name.replace(/\.sql$/, ''));
  const newest = known.at(-1);
  if (newest === undefined) throw new Error('this installation has no migrations');
  const table = `${quoteIdentifier(schema)}.${MIGRATIONS_TABLE}`;
  const exists = await client.query('select from pg_class where oid = to_regclass($1)', [table]);
  if (exists.rowCount === 0) return { state: 'missing', applied: null, known: newest };
  const { rows } = await client.query<{ name: string }>(`select name from ${table} order by id`);
  const applied = rows.map((row) => row.name);
  const ahead = applied.some((name) => !known.includes(name));
  const behind = known.some((name) => !applied.includes(name));
  return {
    state: ahead ? 'ahead' : behind ? 'behind' : 'current',
    applied: applied.at(-1) ?? null,
    known: newest,
  };
}

/** Opens a connection for this piece of work. */
export async function withConnection<T>(
  { database, schema }: SchemaOptions,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = await connectWritable({
    database,
    schema,
    applicationName: 'understudy create',
    lockTimeoutMs: LOCK_TIMEOUT_MS,
    statementTimeoutMs: 0,
  });
  try {
    return await work(connection);
  } finally {
    connection.destroy();
  }
}

/** Where the migrations lie. Sources and their compiled form are at different depths below the package. */
export function migrationsFolder(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return join(folder, 'migrations');
}

/** The migration library puts the name between quotes as it is. */
export function requireUsableName(schema: string): void {
  if (/^[^"'\\\0]{1,63}$/.test(schema)) return;
  throw new UserError(
    `schema: "${schema}" is not usable; expected 1 to 63 characters without quotes and backslashes`,
    exitCodes.badConfig,
  );
}

// A lock was not to be had, or another `understudy create` made the same thing at the same moment.
