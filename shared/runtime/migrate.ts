import { setTimeout as delay } from 'node:timers/promises';
import { runner } from 'node-pg-migrate';
import type { Connection } from './database.ts';
import { quoteIdentifier } from './database-url.ts';
import { messageOf, UserError } from './errors.ts';
import type { Log } from './log.ts';
import {
  compareSchema,
  MIGRATIONS_TABLE,
  migrationsFolder,
  requireUsableName,
  type SchemaOptions,
  type SchemaVersion,
  withConnection,
} from './schema-version.ts';

export interface MigrateOptions extends SchemaOptions {
  readonly log: Log;
}

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

async function bringUpToDate(
  connection: Connection,
  { schema, log }: MigrateOptions,
): Promise<SchemaVersion> {
  const before = await compareSchema(connection, schema);
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
  const after = await compareSchema(connection, schema);
  log.info('The database schema was brought up to date', { schema, version: after.applied });
  return after;
}

// Asked first, because CREATE SCHEMA IF NOT EXISTS needs the right to create even when it exists.
async function createSchema({ client }: Connection, schema: string): Promise<void> {
  const { rowCount } = await client.query('select from pg_namespace where nspname = $1', [schema]);
  if (rowCount === 0) await client.query(`create schema if not exists ${quoteIdentifier(schema)}`);
}

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
