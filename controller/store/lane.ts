import { formatTerm, type Term } from '@understudy/shared/kernel/term';
import { type Connection, connectWritable } from '@understudy/shared/runtime/database';
import type { Execute } from './write-batch.ts';

export interface LaneOptions {
  readonly database: string;
  readonly schema: string;
  readonly pair: string;
  readonly node: string;
  /** What it is for, as its connection is called; `writer` when nothing is said. */
  readonly purpose?: string;
}

export interface ReadOptions {
  readonly term: Term;
  /** Time limit of the whole transaction. */
  readonly timeoutMs: number;
}

export interface FencedOptions extends ReadOptions {
  /** Asked right before COMMIT: resolves when it may be committed. */
  readonly mayCommit: () => Promise<void>;
}

/** This process was deposed: a higher term has been granted. */
export class DeposedError extends Error {
  override readonly name = 'DeposedError';
}

const FENCED_OFF = 'UF001';
const CONNECT_TIMEOUT_MS = 2_000;

/**
 * A connection that writes. Opened before it is needed, replaced when it fails; a transaction that
 * takes too long ends with its socket, because a dead link answers nothing.
 */
export class WriterLane {
  readonly #options: LaneOptions;
  #connection: Connection | null = null;
  #opening: Promise<Connection> | null = null;
  /** Has a transaction under way that is for practice only. */
  #practising: Connection | null = null;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  get isConnected(): boolean {
    return this.#connection !== null;
  }

  /** Connects unless it is connected. */
  async connect(): Promise<void> {
    await this.#open();
  }

  /** A statement outside of any transaction, with a time limit. */
  async ask(text: string, timeoutMs: number): Promise<void> {
    const connection = await this.#open();
    await this.#limited(connection, timeoutMs, async () => {
      await connection.client.query(text);
    });
  }

  /** Statements that only read, and are not fenced: what they give is good for nothing but practice. */
  async practise<T>(timeoutMs: number, work: (execute: Execute) => Promise<T>): Promise<T> {
    const connection = await this.#open();
    this.#practising = connection;
    return await this.#limited(connection, timeoutMs, async () => {
      await connection.client.query('begin read only');
      const result = await work(executeOn(connection));
      await connection.client.query('rollback');
      if (this.#practising === connection) this.#practising = null;
      return result;
    });
  }

  /**
   * One fenced transaction. BEGIN, the fence and all that the work asks for at once travel together: what
   * takes time is the database's work, not the way there. Rejects with `DeposedError` when the term is over.
   */
  async transaction<T>(options: FencedOptions, work: (execute: Execute) => Promise<T>): Promise<T> {
    const connection = await this.#openForReal();
    const { client } = connection;
    const failures = new FirstFailure();
    return await this.#limited(connection, options.timeoutMs, async (pause) => {
      const begun = failures.note(client.query(this.#begin(connection, options.term)));
      const working = work((statement) => failures.note(executeOn(connection)(statement)));
      const [, result] = await failures.of(Promise.all([begun, working]));
      await pause(options.mayCommit());
      await client.query('commit');
      return result;
    });
  }

  /**
   * One fenced transaction that only reads, with its COMMIT on the way from the start: nobody waits for it, for all that
   * the fence is to say is said once it is passed. So the work must ask for everything at once; what it asks for later
   * is refused. Rejects like `transaction`.
   */
  async read<T>(options: ReadOptions, work: (execute: Execute) => Promise<T>): Promise<T> {
    const connection = await this.#openForReal();
    const { client } = connection;
    const failures = new FirstFailure();
    return await this.#limited(connection, options.timeoutMs, async () => {
      const begun = failures.note(client.query(this.#begin(connection, options.term)));
      let isComplete = false;
      const working = work((statement) =>
        failures.note(
          isComplete
            ? Promise.reject(new Error(`not fenced: ${statement.name} was asked for too late`))
            : executeOn(connection)(statement),
        ),
      );
      isComplete = true;
      // A connection on which it fails is of no use to the next transaction either, and that one finds out.
      client.query('commit').catch(() => this.#drop(connection));
      const [, result] = await failures.of(Promise.all([begun, working]));
      return result;
    });
  }

  close(): void {
    this.#connection?.destroy();
    this.#connection = null;
  }

  #begin({ client }: Connection, term: Term): string {
    return `begin; select fence(${client.escapeLiteral(this.#options.pair)}, ${formatTerm(term)})`;
  }

  #drop(connection: Connection): void {
    connection.destroy();
    if (this.#connection === connection) this.#connection = null;
  }

  /** Not one that practises: whatever came upon it would be part of that transaction. */
  async #openForReal(): Promise<Connection> {
    const connection = await this.#open();
    if (connection !== this.#practising) return connection;
    this.#drop(connection);
    return await this.#open();
  }

  /** Whoever comes while it connects gets the same one. */
  async #open(): Promise<Connection> {
    if (this.#connection !== null) return this.#connection;
    this.#opening ??= this.#connect().finally(() => {
      this.#opening = null;
    });
    return await this.#opening;
  }

  async #connect(): Promise<Connection> {
    const { database, schema, node, purpose = 'writer' } = this.#options;
    const connection = await connectWritable({
      database,
      schema,
      applicationName: `understudy controller ${node} ${purpose}`,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      statementTimeoutMs: 10_000,
      idleInTransactionTimeoutMs: 5_000,
      // A plan for the thousand rows of one batch would read whole tables, and be made anew for each.
      genericPlans: true,
      pipelined: true,
    });
    connection.client.once('end', () => {
      if (this.#connection === connection) this.#connection = null;
    });
    this.#connection = connection;
    return connection;
  }

  async #limited<T>(
    connection: Connection,
    timeoutMs: number,
    work: (pause: (wait: Promise<void>) => Promise<void>) => Promise<T>,
  ): Promise<T> {
    const drop = () => this.#drop(connection);
    let limit = setTimeout(drop, timeoutMs);
    // Waiting for a renewal is not the database's fault, and does not count against its time.
    const pause = async (wait: Promise<void>) => {
      clearTimeout(limit);
      await wait;
      limit = setTimeout(drop, timeoutMs);
    };
    try {
      return await work(pause);
    } catch (error) {
      // What the transaction left behind is not worth a round trip: a new connection is.
      drop();
      throw sqlState(error) === FENCED_OFF ? new DeposedError((error as Error).message) : error;
    } finally {
      clearTimeout(limit);
    }
  }
}

/**
 * In a pipeline one failure brings about others: what was sent behind it fails because the transaction is
 * undone. The answers come in order, so the first is the cause.
 */
class FirstFailure {
  #first: { readonly error: unknown } | null = null;

  note<T>(answer: Promise<T>): Promise<T> {
    answer.catch((error: unknown) => {
      this.#first ??= { error };
    });
    return answer;
  }

  /** The same, but what it rejects with is the cause. */
  async of<T>(all: Promise<T>): Promise<T> {
    try {
      return await all;
    } catch (error) {
      throw this.#first === null ? error : this.#first.error;
    }
  }
}

function executeOn({ client }: Connection): Execute {
  return async (statement) => {
    const { rows } = await client.query({ ...statement, values: [...statement.values] });
    return rows;
  };
}

/** The SQLSTATE of an error of the database, `''` when it has none. */
export function sqlState(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
