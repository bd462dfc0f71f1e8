import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { parseChange, type RowChange } from './decoding/parse.ts';
import type { StampedChange } from './invariants/store.ts';

/** A change as it was committed. Changes come in commit order, those of one transaction together. */
export interface Change extends RowChange {
  /** The transaction, as the database numbers it: in the order of beginning, not of committing. */
  readonly xid: string;
}

/** A logical-decoding slot: the one witness of the order in which transactions were committed. */
export interface Decoding {
  /** The changes committed since the last reading, or since the slot was made. Aborted ones never appear. */
  read(): Promise<Change[]>;
  /** The same, a piece at a time, for a history that is too long to be held as it is. */
  readInPieces(take: (changes: readonly Change[]) => void): Promise<void>;
  /** Drops the slot, so that the database need not keep its log for it. */
  close(): Promise<void>;
}

/** A piece ends with the transaction in which it has so many changes. */
const PIECE = 20_000;

/** Makes a slot in a database (`wal_level=logical`). Whatever is committed from now on is seen by it. */
export async function openDecoding(database: string): Promise<Decoding> {
  const slot = `test_${randomBytes(8).toString('hex')}`;
  // A connection for each step: the slot outlives a restart of the database, a connection does not.
  const query = async <Row extends pg.QueryResultRow>(
    text: string,
    more: readonly unknown[] = [],
  ): Promise<Row[]> => {
    const client = new pg.Client({ connectionString: database, application_name: 'decoding' });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query<Row>(text, [slot, ...more])).rows;
    } finally {
      await client.end();
    }
  };
  const readInPieces: Decoding['readInPieces'] = async (take) => {
    for (;;) {
      const rows = await query<{ xid: string; data: string }>(
        "select xid::text, data from pg_logical_slot_get_changes($1, null, $2, 'include-xids', '0')",
        [PIECE],
      );
      if (rows.length === 0) return;
      take(
        rows.flatMap(({ xid, data }) => {
          const change = parseChange(data);
          return change === null ? [] : [{ xid, ...change }];
        }),
      );
    }
  };
  await query("select pg_create_logical_replication_slot($1, 'test_decoding')");
  return {
    readInPieces,
    read: async () => {
      const pieces: (readonly Change[])[] = [];
      await readInPieces((changes) => void pieces.push(changes));
      return pieces.flat();
    },
    close: async () => {
      await query('select pg_drop_replication_slot($1)').catch(() => undefined);
    },
  };
}

/** What tells of terms, and is written by whoever saw it, before or after: no fence guards it. */
const TALES = new Set(['pair_event']);

/** The changes that carry a term, as invariant I1 wants them. The fence is where terms are granted. */
export function stampedChanges(changes: readonly Change[]): StampedChange[] {
  return changes.flatMap(({ table, columns }) => {
    const term = columns['term'];
    if (term === undefined || term === null || TALES.has(table)) return [];
    return [{ table, term: BigInt(term), grants: table === 'fence' }];
  });
}
