import { type EventPlace, eventId, type PairEvent } from '@understudy/shared/protocol/events';
import { type Connection, connectWritable } from '@understudy/shared/runtime/database';
import { messageOf } from '@understudy/shared/runtime/errors';

export interface EventStoreOptions {
  readonly database: string;
  readonly schema: string;
  readonly pair: string;
  readonly node: string;
}

export interface EventQuery {
  readonly after: EventPlace | null;
  readonly limit: number;
  readonly kind?: string;
}

/**
 * Where events last. Each call has a time limit and answers `failed` when the store does not; nothing
 * throws. A write may be repeated without harm.
 */
export interface EventStore {
  write(events: readonly PairEvent[]): Promise<EventsWritten>;
  /** Oldest first: the first after a place, or the newest. */
  read(query: EventQuery): Promise<EventsRead>;
  close(): void;
}

export interface StoreFailed {
  readonly kind: 'failed';
  readonly error: string;
}
export type EventsWritten = { readonly kind: 'written' } | StoreFailed;
export type EventsRead =
  | { readonly kind: 'read'; readonly events: readonly PairEvent[] }
  | StoreFailed;

const CONNECT_TIMEOUT_MS = 1_000;
const CALL_TIMEOUT_MS = 2_000;
/** Events are rare: a connection that nobody used for so long is given back. */
const IDLE_MS = 10_000;

/**
 * Events in PostgreSQL, over a connection of its own that is opened when there is something to say and
 * closed when there is not: neither renewals nor readings of the lease ever wait for it.
 */
export function makePostgresEventStore(options: EventStoreOptions): EventStore {
  const { pair } = options;
  const connection = new LazyConnection(options);
  return {
    write: async (events) => {
      const answer = await connection.call('select pair_event_write($1, $2)', [
        pair,
        JSON.stringify(events),
      ]);
      return answer.kind === 'failed' ? answer : { kind: 'written' };
    },
    read: async ({ after, limit, kind = null }) => {
      const answer = await connection.call(READ, [
        pair,
        after === null ? null : new Date(after.atMs).toISOString(),
        after?.node ?? null,
        after?.seq ?? null,
        kind,
        limit,
      ]);
      if (answer.kind === 'failed') return answer;
      return { kind: 'read', events: answer.rows.map(eventFrom) };
    },
    close: () => connection.close(),
  };
}

const READ = `select node, incarnation, seq::float8 as seq, kind, message, rule, evidence, facts,
    term::text as term, round(extract(epoch from at) * 1000)::float8 as "atMs"
  from pair_event_read($1, $2, $3, $4, $5, $6)`;

type Row = Readonly<Record<string, unknown>>;
type Rows = { readonly kind: 'rows'; readonly rows: readonly Row[] } | StoreFailed;

const tooLate: StoreFailed = { kind: 'failed', error: 'no answer in time' };

class LazyConnection {
  readonly #options: EventStoreOptions;
  #connection: Connection | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  #idle: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(options: EventStoreOptions) {
    this.#options = options;
  }

  /** One after the other. While the store hangs, those that wait are not kept longer than one call may last. */
  call(text: string, values: readonly unknown[]): Promise<Rows> {
    const attempt = { isOver: false };
    const answer = this.#turn.then(() => (attempt.isOver ? tooLate : this.#call(text, values)));
    this.#turn = answer;
    return new Promise((resolve) => {
      const limit = setTimeout(() => {
        attempt.isOver = true;
        resolve(tooLate);
      }, CONNECT_TIMEOUT_MS + CALL_TIMEOUT_MS);
      void answer.then((rows) => {
        clearTimeout(limit);
        resolve(rows);
      });
    });
  }

  close(): void {
    this.#closed = true;
    this.#drop();
  }

  async #call(text: string, values: readonly unknown[]): Promise<Rows> {
    if (this.#closed) return { kind: 'failed', error: 'the heartbeat is ending' };
    if (this.#idle !== null) clearTimeout(this.#idle);
    try {
      const { client } = await this.#open();
      // A dead link answers nothing: then the connection is dropped, which rejects the statement.
      const limit = setTimeout(() => this.#drop(), CALL_TIMEOUT_MS);
      const { rows } = await client
        .query<Record<string, unknown>>(text, [...values])
        .finally(() => clearTimeout(limit));
      this.#idle = setTimeout(() => this.#drop(), IDLE_MS);
      return { kind: 'rows', rows };
    } catch (error) {
      this.#drop();
      return { kind: 'failed', error: messageOf(error) };
    }
  }

  async #open(): Promise<Connection> {
    if (this.#connection !== null) return this.#connection;
    const connection = await connectWritable({
      database: this.#options.database,
      schema: this.#options.schema,
      applicationName: `understudy heartbeat ${this.#options.node} events`,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      statementTimeoutMs: CALL_TIMEOUT_MS,
      lockTimeoutMs: CALL_TIMEOUT_MS,
    });
    if (this.#closed) connection.destroy();
    this.#connection = connection;
    connection.client.once('end', () => {
      if (this.#connection === connection) this.#connection = null;
    });
    return connection;
  }

  #drop(): void {
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = null;
    this.#connection?.destroy();
    this.#connection = null;
  }
}

function eventFrom(row: Row): PairEvent {
  const { atMs, ...rest } = row as Row & Omit<PairEvent, 'at' | 'id'> & { readonly atMs: number };
  const { node, seq } = rest;
  return { ...rest, id: eventId({ atMs, node, seq }), at: new Date(atMs).toISOString() };
}
