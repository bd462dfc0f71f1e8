import type { Clock } from '@understudy/shared/runtime/clock';
import type { Connection } from '@understudy/shared/runtime/database';
import { messageOf } from '@understudy/shared/runtime/errors';
import type { Log } from '@understudy/shared/runtime/log';
import type { Failed } from '../port.ts';

export interface LaneOptions {
  /** For the log: what this connection is for. */
  readonly name: string;
  /** Opens a connection to the writable server, within a time limit of its own. */
  readonly connect: () => Promise<Connection>;
  readonly log: Log;
  readonly clock: Clock;
}

/** One statement, prepared on first use of a connection. */
export interface Statement {
  readonly name: string;
  readonly text: string;
  readonly values: readonly unknown[];
}

export type Rows = { readonly kind: 'rows'; readonly rows: readonly Row[] } | Failed;
export type Row = Readonly<Record<string, unknown>>;

/**
 * One connection of its own, in use for life. Calls go out one after the other. A call that fails for
 * whatever reason, time included, ends the connection: a link in doubt is dropped, not waited for. The
 * next connection is opened at once, so that the next call finds it ready, but only once: as long as
 * the store is away, the calls themselves try again. A call that still waited for its turn goes out on it.
 */
export class Lane {
  readonly #options: LaneOptions;
  #connection: Promise<Connection> | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;
  #healthy = true;

  constructor(options: LaneOptions) {
    this.#options = options;
    void this.#open();
  }

  /** Executes one statement within the limit. An answer that comes later is dropped. Never throws. */
  call(statement: Statement, limitMs: number): Promise<Rows> {
    const answer = this.#attempt(this.#turn, statement, limitMs);
    this.#turn = answer;
    return answer;
  }

  /** Ends the connection. Calls under way answer `failed`. */
  close(): void {
    this.#closed = true;
    if (this.#connection !== null) destroyWhenOpen(this.#connection);
    this.#connection = null;
  }

  async #attempt(turn: Promise<unknown>, statement: Statement, limitMs: number): Promise<Rows> {
    const { clock } = this.#options;
    const deadlineMs = clock.monotonicMs() + limitMs;
    const attempt: Attempt = { connection: null, over: false };
    try {
      const rows = await within(limitMs, this.#execute(turn, statement, attempt));
      // The answer may have lain in the socket while this process was not running.
      if (clock.monotonicMs() > deadlineMs) throw new Error(noAnswer(limitMs));
      this.#report(null);
      return { kind: 'rows', rows };
    } catch (error) {
      attempt.over = true;
      if (attempt.connection !== null) this.#drop(attempt.connection);
      this.#report(messageOf(error));
      return { kind: 'failed', error: messageOf(error) };
    }
  }

  async #execute(
    turn: Promise<unknown>,
    { name, text, values }: Statement,
    attempt: Attempt,
  ): Promise<readonly Row[]> {
    await turn;
    if (this.#closed) throw new Error('the lease store is closed');
    if (attempt.over) throw new Error('its time was over before its turn');
    const connection = this.#open();
    const { client } = await connection;
    if (attempt.over) throw new Error('its time was over before it was sent');
    attempt.connection = connection;
    const query = { name, text, values: [...values] };
    return (await client.query<Record<string, unknown>>(query)).rows;
  }

  #open(): Promise<Connection> {
    if (this.#connection !== null) return this.#connection;
    const connection = this.#options.connect();
    this.#connection = connection;
    connection.then(
      ({ client }) => client.once('end', () => this.#forget(connection)),
      () => this.#forget(connection),
    );
    return connection;
  }

  #forget(connection: Promise<Connection>): void {
    if (this.#connection === connection) this.#connection = null;
  }

  #drop(connection: Promise<Connection>): void {
    destroyWhenOpen(connection);
    if (this.#connection !== connection) return;
    this.#connection = null;
    if (!this.#closed) void this.#open();
  }

  #report(error: string | null): void {
    const healthy = error === null;
    if (healthy === this.#healthy || this.#closed) return;
    this.#healthy = healthy;
    const { log, name } = this.#options;
    if (healthy) log.info('The lease store answers again', { connection: name });
    else log.warn('A call to the lease store failed', { connection: name, error });
  }
}

interface Attempt {
  /** What it was sent on. One that is still being opened is left to later calls. */
  connection: Promise<Connection> | null;
  over: boolean;
}

function noAnswer(limitMs: number): string {
  return `no answer within ${limitMs} ms`;
}

async function within<T>(limitMs: number, work: Promise<T>): Promise<T> {
  let limit: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_resolve, reject) => {
    limit = setTimeout(() => reject(new Error(noAnswer(limitMs))), limitMs);
  });
  try {
    return await Promise.race([work, expired]);
  } finally {
    clearTimeout(limit);
  }
}

function destroyWhenOpen(connection: Promise<Connection>): void {
  connection.then(
    ({ destroy }) => destroy(),
    () => undefined,
  );
}
