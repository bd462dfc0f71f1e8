import type { ControllerHostConfig } from '@understudy/shared/runtime/config/types';
import { type Connection, connectWritable } from '@understudy/shared/runtime/database';
import { exitCodes, messageOf, UserError } from '@understudy/shared/runtime/errors';
import { makeKeystore, readKeystore } from '@understudy/shared/runtime/keystore';
import { makeLog } from '@understudy/shared/runtime/log';
import { migrate } from '@understudy/shared/runtime/migrate';
import { judgeKey, knownKey } from '@understudy/shared/runtime/pair-key';
import { whyPreparedIsForbidden } from '@understudy/shared/runtime/prepared-transactions';

type PairConfig = Pick<ControllerHostConfig, 'pair' | 'database' | 'schema'> &
  Partial<Pick<ControllerHostConfig, 'lease' | 'keystore'>>;

/**
 * Brings the schema up to date and makes the pair's lease and fence, and its key store if one is configured,
 * if they are not there.
 */
export async function createPair(config: PairConfig): Promise<void> {
  const { pair, database, schema, keystore = null } = config;
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
    if (keystore !== null) await prepareKey(connection, pair, keystore);
  } catch (error) {
    if (error instanceof UserError) throw error;
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

/** The first node that is prepared makes the key; the others must have a copy of its file. */
async function prepareKey(connection: Connection, pair: string, path: string): Promise<void> {
  if ((await knownKey(connection, pair)) === null) {
    const text = 'insert into pair_key (pair, id) values ($1, $2) on conflict do nothing';
    const id = keyAt(path);
    if (id !== null) await connection.client.query(text, [pair, id]);
  }
  const known = await knownKey(connection, pair);
  const verdict = judgeKey({ pair, path, known });
  if (verdict.type === 'refused') throw new UserError(verdict.reason, exitCodes.badConfig);
}

/** The id of the key in the file, which is made if there is none; null when it can't be used. */
function keyAt(path: string): string | null {
  const read = readKeystore(path);
  if (read.type === 'read') return read.keystore.id;
  if (read.type === 'bad') return null;
  try {
    return makeKeystore(path).id;
  } catch (error) {
    throw new UserError(`the key store ${path} can't be made: ${messageOf(error)}`);
  }
}
