import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import type { Store } from './store.ts';

export interface Writers {
  /** Transactions that were committed. */
  readonly committed: () => number;
  /** Transactions that ended otherwise: refused by the fence, or evicted. */
  readonly ended: () => number;
  stop(): Promise<void>;
}

/**
 * So many concurrent writers, each in a transaction nearly all the time: fence at the newest term it
 * knows of, write a row stamped with that term, think for a while, commit. They learn a new term only
 * from being refused, as an old active would.
 */
export async function startWriters(store: Store, count: number): Promise<Writers> {
  const counts = { committed: 0, ended: 0 };
  const state = { running: true };
  const clients = await Promise.all(Array.from({ length: count }, () => store.connect()));
  const loops = clients.map((client) => writeOn(store, client, state, counts));
  return {
    committed: () => counts.committed,
    ended: () => counts.ended,
    stop: async () => {
      state.running = false;
      await Promise.all(loops);
    },
  };
}

/** The table that writers write to. */
export async function createWork(client: pg.Client): Promise<void> {
  await client.query('create table work (id serial primary key, term bigint not null)');
}

async function writeOn(
  store: Store,
  first: pg.Client,
  state: { readonly running: boolean },
  counts: { committed: number; ended: number },
): Promise<void> {
  let client = first;
  let term = await currentTerm(client);
  while (state.running) {
    try {
      await client.query('begin');
      await client.query('select fence($1, $2)', [store.pair, term]);
      await client.query('insert into work (term) values ($1)', [term]);
      await delay(Math.random() * 20);
      await client.query('commit');
      counts.committed += 1;
    } catch {
      counts.ended += 1;
      const usable = await client.query('rollback').then(
        () => true,
        () => false,
      );
      if (!usable) client = await store.connect();
      term = await currentTerm(client);
    }
  }
}

async function currentTerm(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ term: string }>('select term from fence');
  return rows[0]?.term ?? '0';
}
