import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { runner } from 'node-pg-migrate';
import { type Connection, connectWritable } from './database.ts';
import { quoteIdentifier } from './database-url.ts';
import { exitCodes, messageOf, UserError } from './errors.ts';
import type { Log } from './log.ts';

export interface MigrateOptions {
  readonly database: string;
  readonly schema: string;
  readonly log: Log;
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

const MIGRATIONS_TABLE = 'migration';
const LOCK_TIMEOUT_MS = 2_000;
const ATTEMPTS = 15;

/**
 * Brings the schema up to date; harmless when it is. All pending migrations are one transaction. It
 * never queues for a lock longer than two seconds, because everybody else would queue behind it;
 * it tries again instead. A schema that is ahead is left alone.
 */
export async function migrate(options: MigrateOptions): Promise<SchemaVersion> {
  requireUsableName(options.schema);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await withConnection(options, (connection) => bringUpToDate(connection, options));
    } catch (error) {
      if (!isBusy(error) || attempt === ATTEMPTS) throw explain(error, options);
      options.log.warn('The schema is in use; trying the migration again', { attempt });
      await delay(1_000);
    }
  }
}

/** Compares the schema with this installation, without changing anything. */
export async function schemaVersion(options: Omit<MigrateOptions, 'log'>): Promise<SchemaVersion> {
  requireUsableName(options.schema);
  try {
    return await withConnection(options, (connection) => compare(connection, options.schema));
  } catch (error) {
    throw explain(error, options);
  }
}

async function bringUpToDate(
  connection: Connection,
  { schema, log }: MigrateOptions,
): Promise<SchemaVersion> {
  const before = await compare(connection, schema);
  if (before.state === 'ahead' || before.state === 'current') return before;
  await createSchema(connection, schema);
  const quiet = () => undefined;
  await runner({
    dbClient: connection.client,
    dir: migrationsFolder(),
    migrationsTable: MIGRATIONS_TABLE,
    migrationsSchema: schema,
    direction: 'up',
    singleTransaction: true,
    advisoryLockMode: 'wait',
    logger: { debug: quiet, info: quiet, warn: quiet, error: quiet },
  });
  const after = await compare(connection, schema);
  log.info('The database schema was brought up to date', { schema, version: after.applied });
  return after;
}

// Asked first, because CREATE SCHEMA IF NOT EXISTS needs the right to create even when it exists.
async function createSchema({ client }: Connection, schema: string): Promise<void> {
  const { rowCount } = await client.query('select from pg_namespace where nspname = $1', [schema]);
  if (rowCount === 0) await client.query(`create schema if not exists ${quoteIdentifier(schema)}`);
}

async function compare({ client }: Connection, schema: string): Promise<SchemaVersion> {
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

async function withConnection<T>(
  { database, schema }: Omit<MigrateOptions, 'log'>,
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

// Sources and their compiled form lie at different depths below the package.
function migrationsFolder(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return join(folder, 'migrations');
}

// The migration library puts the name between quotes as it is.
function requireUsableName(schema: string): void {
  if (/^[^"'\\\0]{1,63}$/.test(schema)) return;
  throw new UserError(
    `schema: "${schema}" is not usable; expected 1 to 63 characters without quotes and backslashes`,
    exitCodes.badConfig,
  );
}

// A lock was not to be had, or another `understudy create` made the same thing at the same moment.
function isBusy(error: unknown): boolean {
  return ['55P03', '40P01', '23505', '42P06', '42P07'].includes(sqlState(error) ?? '');
}

function explain(error: unknown, { schema }: { readonly schema: string }): UserError {
  if (error instanceof UserError) return error;
  const message = messageOf(error);
  switch (sqlState(error)) {
    case '42501':
      return new UserError(
        `The database user may not prepare schema "${schema}": ${message}. ` +
          `Let its owner run \`understudy create\`, or grant it CREATE on the database.`,
      );
    case '55P03':
      return new UserError(
        `Schema "${schema}" is locked by others for too long: ${message}. ` +
          'Look for long transactions in pg_stat_activity, then repeat `understudy create`.',
      );
    default:
      return new UserError(`The database could not be prepared: ${message}`);
  }
}

function sqlState(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
