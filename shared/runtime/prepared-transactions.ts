import type { Connection } from './database.ts';

/**
 * Why a server that lets transactions be prepared is not good enough, as a sentence that says what to do; null
 * when it lets nobody. A prepared transaction outlives its session and every restart: one that passed the fence
 * and was forgotten can't be evicted, and until somebody ends it no term is granted. It can't do more: what it
 * holds up is each take-over, and nothing stale is ever committed by it.
 */
export async function whyPreparedIsForbidden({ client }: Connection): Promise<string | null> {
  const { rows } = await client.query<{ most: number }>(
    "select current_setting('max_prepared_transactions')::integer as most",
  );
  const most = rows[0]?.most ?? 0;
  if (most === 0) return null;
  return (
    `max_prepared_transactions of the PostgreSQL server is ${most}; expected 0, because a prepared transaction ` +
    'that is left over and holds the fence keeps every node from taking over. Set it to 0 and restart ' +
    'PostgreSQL; or, where other programs need it, set lease.preparedTransactions: accept'
  );
}
