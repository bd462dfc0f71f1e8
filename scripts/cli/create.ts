import type { ControllerHostConfig } from '@understudy/shared/runtime/config/types';
import { connectWritable } from '@understudy/shared/runtime/database';
import { exitCodes, messageOf, UserError } from '@understudy/shared/runtime/errors';
import { makeLog } from '@understudy/shared/runtime/log';
import { migrate } from '@understudy/shared/runtime/migrate';

type PairConfig = Pick<ControllerHostConfig, 'pair' | 'database' | 'schema'>;

/** Brings the schema up to date and makes the pair's lease and fence, if they are not there. */
export async function createPair({ pair, database, schema }: PairConfig): Promise<void> {
  const log = makeLog({ level: 'warn', format: 'text' }, {});
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
