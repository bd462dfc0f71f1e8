import { setTimeout as pause } from 'node:timers/promises';
import type { EventPlace, PairEvent } from '@understudy/shared/protocol/events';
import { makePool } from '@understudy/shared/runtime/database';
import type pg from 'pg';
import type { RunRecord } from '../dispatch/run.ts';
import type { FoundRuns, RunFilter } from '../history/run-filter.ts';
import type { AuditRecord } from '../security/audit.ts';
import { findRuns } from './find-runs.ts';
import type { LaneOptions } from './lane.ts';
import { sqlState } from './lane.ts';
import { type AuditFilter, readAudit } from './read-audit.ts';
import type { EventRecord } from './records.ts';
import {
  attemptColumns,
  eventColumns,
  eventFrom,
  ms,
  pairEventColumns,
  pairEventFrom,
  type Row,
  runColumns,
  runsFrom,
} from './rows.ts';

/** The database does not answer at this moment. */
export class StoreAwayError extends Error {
  override readonly name = 'StoreAwayError';
}

/** Where to read in an attempt's output. */
export interface LogPlace {
  readonly run: string;
  readonly attempt: number;
  readonly from: number;
}

const CONNECTIONS = 4;
const READ_TIMEOUT_MS = 3_000;
const MAX_CHUNKS = 8;
/** While it is away it is looked for so often, each time for so long. */
const LOOK_AGAIN_MS = 250;
const LOOK_TIMEOUT_MS = 1_000;

/** What is read from the database for users: finished runs, output, history. Each read has a time limit. */
export class Reader {
  readonly #pool: pg.Pool;
  readonly #pair: string;
  readonly #onAway: () => void;
  #isAway = false;

  constructor(options: LaneOptions & { readonly onAway: () => void }) {
    this.#pair = options.pair;
    this.#onAway = options.onAway;
    this.#pool = makePool({
      database: options.database,
      schema: options.schema,
      applicationName: `understudy controller ${options.node} reader`,
      connectTimeoutMs: READ_TIMEOUT_MS,
      statementTimeoutMs: READ_TIMEOUT_MS,
      max: CONNECTIONS,
    });
    this.#pool.on('error', () => undefined);
  }

  /** A read failed, and none has succeeded since: nobody is made to wait for the next failure. */
  get isAway(): boolean {
    return this.#isAway;
  }

  /** Refuses at once what would find no answer. */
  requireAnswers(): void {
    if (this.#isAway) throw new StoreAwayError('the database does not answer at this moment');
  }

  /** Takes the database for away until it answers. */
  suspect(): void {
    if (this.#isAway) return;
    this.#isAway = true;
    void this.#lookUntilBack();
  }

  /** Opens a connection beforehand, so that the first reader does not wait for it. */
  async warm(): Promise<void> {
    const client = await this.#pool.connect();
    client.release();
  }

  async run(id: string): Promise<RunRecord | null> {
    return (await this.runs([id]))[0] ?? null;
  }

  async runs(ids: readonly string[]): Promise<RunRecord[]> {
    const rows = await this.select(
      `select ${runColumns} from run where pair = $1 and id = any($2::uuid[])`,
      [this.#pair, ids],
    );
    return await this.#withAttempts(rows);
  }

  /** The id of the run that was made under an idempotency key. */
  async runByKey(job: string, key: string): Promise<string | null> {
    const [row] = await this.select(
      'select id from run where pair = $1 and job = $2 and idempotency_key = $3',
      [this.#pair, job, key],
    );
    return row === undefined ? null : String(row['id']);
  }

  /** The runs of one order to every agent. */
  async runsOfBatch(batch: string): Promise<RunRecord[]> {
    const rows = await this.select(
      `select ${runColumns} from run where pair = $1 and batch = $2::uuid order by id`,
      [this.#pair, batch],
    );
    return await this.#withAttempts(rows);
  }

  /** The instants from one until before another for which a job has runs, and whether one was not skipped. */
  async decidedInstants(job: string, from: number, to: number): Promise<Map<number, boolean>> {
    const rows = await this.select(
      `select ${ms('scheduled_for', 'at')}, bool_or(state <> 'skipped') as "wasRun" from run
       where pair = $1 and job = $2 and scheduled_for >= $3 and scheduled_for < $4 group by scheduled_for`,
      [this.#pair, job, new Date(from).toISOString(), new Date(to).toISOString()],
    );
    return new Map(rows.map((row) => [Number(row['at']), row['wasRun'] === true]));
  }

  /** What happened to something, beside the end of a run, oldest first. */
  async eventsOf(subject: string, limit: number): Promise<EventRecord[]> {
    const rows = await this.select(
      `select ${eventColumns} from event where pair = $1 and subject = $2 and kind <> 'run-ended'
       order by event.seq limit $3`,
      [this.#pair, subject, limit],
    );
    return rows.map(eventFrom);
  }

  /** A page of runs, newest first. */
  async listRuns(filter: RunFilter): Promise<FoundRuns> {
    const { ids, next } = await findRuns(filter, {
      pair: this.#pair,
      select: (text, values) => this.select(text, values),
      nowMs: () => performance.now(),
    });
    const runs = ids.length === 0 ? [] : await this.runs(ids);
    return { runs: runs.toSorted((a, b) => (a.id < b.id ? 1 : -1)), next };
  }

  /** The next pieces of an attempt's output, from the one on that holds the byte `from`. */
  async log({ run, attempt, from }: LogPlace): Promise<{ start: number; data: Buffer }[]> {
    const rows = await this.select(
      `select start::text as start, data from run_log
       where run = $1 and attempt = $2 and start >= coalesce((
         select max(start) from run_log where run = $1 and attempt = $2 and start <= $3), 0)
       order by run_log.start limit ${MAX_CHUNKS}`,
      [run, attempt, from],
    );
    return rows.map((row) => ({ start: Number(row['start']), data: row['data'] as Buffer }));
  }

  /** Events, oldest first: the first ones after a number, or the newest ones. */
  async events(after: bigint | null, limit: number): Promise<EventRecord[]> {
    if (after === null) {
      const newest = await this.select(
        `select ${eventColumns} from event where pair = $1 order by event.seq desc limit $2`,
        [this.#pair, limit],
      );
      return newest.map(eventFrom).reverse();
    }
    const rows = await this.select(
      `select ${eventColumns} from event where pair = $1 and event.seq > $2 order by event.seq limit $3`,
      [this.#pair, after.toString(), limit],
    );
    return rows.map(eventFrom);
  }

  /** What the heartbeats decided, oldest first: the first after a place, or the newest. */
  async pairEvents(after: EventPlace | null, limit: number): Promise<PairEvent[]> {
    const select = `select ${pairEventColumns} from pair_event where pair = $1`;
    if (after === null) {
      const newest = await this.select(
        `${select} order by pair_event.at desc, node desc, pair_event.seq desc limit $2`,
        [this.#pair, limit],
      );
      return newest.map(pairEventFrom).reverse();
    }
    const rows = await this.select(
      `${select} and (pair_event.at, node, pair_event.seq) > ($2, $3, $4)
       order by pair_event.at, node, pair_event.seq limit $5`,
      [this.#pair, new Date(after.atMs).toISOString(), after.node, after.seq, limit],
    );
    return rows.map(pairEventFrom);
  }

  /** The id of the key with which the pair's secrets are encrypted; null: there is none. */
  async knownKey(): Promise<string | null> {
    const [row] = await this.select('select id from pair_key where pair = $1', [this.#pair]);
    return row === undefined ? null : String(row['id']);
  }

  /** The audit trail, newest first. */
  async audit(filter: AuditFilter): Promise<AuditRecord[]> {
    const select = (text: string, values: readonly unknown[]) => this.select(text, values);
    return await readAudit(select, this.#pair, filter);
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }

  async #withAttempts(runs: readonly Row[]): Promise<RunRecord[]> {
    if (runs.length === 0) return [];
    const attempts = await this.select(
      `select ${attemptColumns} from attempt where run = any($1::uuid[])`,
      [runs.map((row) => row['id'])],
    );
    return runsFrom(runs, attempts);
  }

  async #lookUntilBack(): Promise<void> {
    while (this.#isAway) {
      try {
        await this.#query('select 1', [], LOOK_TIMEOUT_MS);
        this.#isAway = false;
      } catch {
        await pause(LOOK_AGAIN_MS, undefined, { ref: false });
      }
    }
  }

  /** The rows of a query. Rejects with `StoreAwayError` when the database does not answer it in time. */
  async select(text: string, values: readonly unknown[]): Promise<Row[]> {
    this.requireAnswers();
    try {
      return await this.#query(text, values, READ_TIMEOUT_MS);
    } catch (error) {
      if (/^(22|23|42)/.test(sqlState(error))) throw error;
      if (isConnectionError(error)) {
        this.#onAway();
        this.suspect();
      }
      throw new StoreAwayError(`the database does not answer: ${(error as Error).message}`);
    }
  }

  async #query(text: string, values: readonly unknown[], timeoutMs: number): Promise<Row[]> {
    let client: pg.PoolClient | null = null;
    let limit: NodeJS.Timeout | undefined;
    try {
      const connected = await this.#pool.connect();
      client = connected;
      // A dead link answers nothing, not even a cancellation: the wait ends without it.
      const tooLong = new Promise<never>((_resolve, reject) => {
        limit = setTimeout(() => reject(new Error('no answer in time')), timeoutMs);
      });
      const { rows } = await Promise.race([connected.query(text, [...values]), tooLong]);
      connected.release();
      return rows as Row[];
    } catch (error) {
      client?.release(true);
      throw error;
    } finally {
      clearTimeout(limit);
    }
  }
}

/** A slow query, or a pool whose connections are all in use, says nothing of whether writes succeed. */
function isConnectionError(error: unknown): boolean {
  const state = sqlState(error);
  if (/^[0-9A-Z]{5}$/.test(state)) return /^(08|57P)/.test(state);
  return !(error as Error).message.startsWith('timeout exceeded when trying to connect');
}
