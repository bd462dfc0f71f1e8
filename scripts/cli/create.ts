import type { ControllerHostConfig } from '@understudy/shared/runtime/config/types';
import { connectWritable } from '@understudy/shared/runtime/database';
import { exitCodes, messageOf, UserError } from '@understudy/shared/runtime/errors';
import { makeLog } from '@understudy/shared/runtime/log';
import { migrate } from '@understudy/shared/runtime/migrate';
import { whyPreparedIsForbidden } from '@understudy/shared/runtime/prepared-transactions';

type PairConfig = Pick<ControllerHostConfig, 'pair' | 'database' | 'schema'> &
  Partial<Pick<ControllerHostConfig, 'lease'>>;

/** Brings the schema up to date and makes the pair's lease and fence, if they are not there. */
export async function createPair(config: PairConfig): Promise<void> {
  const { pair, database, schema } = config;
  const log = makeLog({ level: 'warn', format: 'text' }, {});
  await refusePrepared(config);
  const { state, applied } = await migrate({ database, schema, log });
  if (state === 'ahead') {
    throw new UserError(
      `schema ${schema} was migrated by a newer version (${applied}); install that version here`,
      exitCodes.badConfig,
    );
  }
  const connection = await connectWritable({
    database,
    schema,
    applicationName: 'understudy create',
    lockTimeoutMs: 10_000,
  });
  try {
    await connection.client.query('select prepare_pair($1)', [pair]);
  } catch (error) {
    throw new UserError(`pair ${pair} could not be prepared in the database: ${messageOf(error)}`);
  } finally {
    connection.destroy();
  }
}

/** Before anything is made: a pair that must not run here is not prepared either. */
async function refusePrepared({ database, schema, lease }: PairConfig): Promise<void> {
  if (lease?.preparedTransactions === 'accept') return;
  const connection = await connectWritable({
    ...{ database, schema, applicationName: 'understudy create' },
  }).catch(() => null);
  // What is wrong with the connection, the migration says better.
  if (connection === null) return;
  try {
    const forbidden = await whyPreparedIsForbidden(connection);
    if (forbidden !== null) throw new UserError(forbidden, exitCodes.badConfig);
  } finally {
    connection.destroy();
  }
}
