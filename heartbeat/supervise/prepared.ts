import { setTimeout as delay } from 'node:timers/promises';
import { connectWritable } from '@understudy/shared/runtime/database';
import { exitCodes, UserError } from '@understudy/shared/runtime/errors';
import type { Log } from '@understudy/shared/runtime/log';
import { whyPreparedIsForbidden } from '@understudy/shared/runtime/prepared-transactions';
import { lookOnce } from './look-once.ts';

export interface RefusePreparedOptions {
  readonly database: string;
  readonly schema: string;
  readonly pair: string;
  readonly onWaiting: (reason: string) => void;
  readonly signal: AbortSignal;
  readonly log: Log;
}

interface Found {
  /** Null: the server lets nobody prepare a transaction. */
  readonly forbidden: string | null;
  /** The lease is in somebody's hands, or was when its holder went without a word. */
  readonly isHeld: boolean;
}

const LOOK_AGAIN_MS = 1_000;

/**
 * Throws `UserError` (exit code 78) when the server lets transactions be prepared and the pair rests: somebody
 * starts it, and can read why it does not. A pair at work is joined, with a warning: to refuse would take the
 * passive from it, and harm more than a transaction that nobody has prepared yet.
 */
export async function refusePrepared(options: RefusePreparedOptions): Promise<void> {
  const { signal, onWaiting, log } = options;
  while (!signal.aborted) {
    const found = await lookOnce(signal, (limit) => look(options, limit));
    if (typeof found !== 'string') {
      if (found.forbidden === null) return;
      if (!found.isHeld) throw new UserError(found.forbidden, exitCodes.badConfig);
      log.warn(`takes part all the same, for the pair is at work: ${found.forbidden}`);
      return;
    }
    onWaiting(`the settings of the database can not be read: ${found}`);
    // Asked to stop is no failure.
    await delay(LOOK_AGAIN_MS, undefined, { signal }).catch(() => undefined);
  }
}

async function look(
  { database, schema, pair }: RefusePreparedOptions,
  limit: AbortSignal,
): Promise<Found> {
  const applicationName = 'understudy heartbeat';
  const connection = await connectWritable({ database, schema, applicationName });
  // A query on a link that went dark never ends by itself.
  limit.addEventListener('abort', () => connection.destroy());
  try {
    const forbidden = await whyPreparedIsForbidden(connection);
    if (forbidden === null) return { forbidden, isHeld: false };
    const { rows } = await connection.client.query<{ released: boolean }>(
      'select released from lease_read($1)',
      [pair],
    );
    return { forbidden, isHeld: rows[0]?.released === false };
  } finally {
    connection.destroy();
  }
}
