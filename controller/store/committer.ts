import { randomUUID } from 'node:crypto';
import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises';
import { messageOf } from '@understudy/shared/runtime/errors';
import type { Log } from '@understudy/shared/runtime/log';
import type { TenureGuard } from '../tenure/guard.ts';
import { type Batch, type Changes, mergeChanges, weightOf } from './changes.ts';
import { DeposedError, sqlState, type WriterLane } from './lane.ts';
import { OutputCut } from './output-cut.ts';
import { type Owner, type Written, writeBatch } from './write-batch.ts';

export interface CommitterOptions {
  readonly lane: Pick<WriterLane, 'transaction'>;
  readonly guard: TenureGuard;
  readonly owner: Owner;
  readonly log: Log;
  /** Called for each batch once it is committed, before anybody who waits for it goes on. */
  readonly onCommitted: (batch: Batch, written: Written) => void;
  /** The output of these runs is stored no further: there is no room for it. */
  readonly onOutputCut: (runs: readonly string[]) => void;
  readonly onDeposed: (reason: string) => void;
  /** The database refused what we wrote: memory and database disagree, which only a restart repairs. */
  readonly onDefect: (error: unknown) => void;
}

const TRANSACTION_TIMEOUT_MS = 4_000;
const MAX_WEIGHT = 5_000;
const RETRY_FIRST_MS = 100;
/** It is to be noticed within a moment that the database is back. */
const RETRY_MAX_MS = 250;
/** Others who use the database got in our way so often in a row: it counts as away, and is tried on. */
const MOST_CONFLICTS = 8;
const CONFLICT_PAUSE_MS = 5;
const DISK_FULL = '53100';
/** More than this is not taken in while the database is slow or away: memory must stay bounded. */
const MAX_WAITING_WEIGHT = 50_000;

interface Committed {
  /** As it was written. */
  readonly batch: Batch;
  readonly written: Written;
}

interface Waiting {
  readonly changes: Changes;
  readonly weight: number;
  readonly resolve: (written: Written) => void;
}

/**
 * Group commit: what changes while one transaction is under way is committed together by the next, in its
 * order. What changes while none is goes at once, with all else of the same moment. While the database is away the batch is kept and tried again, so what was decided is never
 * forgotten while this process lives. Nothing that depends on a change may be answered or sent before
 * its promise resolves.
 */
export class Committer {
  readonly #options: CommitterOptions;
  #queue: Waiting[] = [];
  #waitingWeight = 0;
  #isRunning = false;
  #isAway = false;
  #idle: (() => void)[] = [];
  readonly #cut = new OutputCut();
  readonly #givenUp = new Set<() => void>();
  /** Called before a batch is taken: what can be decided by now is to travel with it. */
  onGather: () => void = () => undefined;

  constructor(options: CommitterOptions) {
    this.#options = options;
  }

  /** The database did not take the last thing that we tried. */
  get isAway(): boolean {
    return this.#isAway;
  }

  get isIdle(): boolean {
    return !this.#isRunning;
  }

  /** Whether `onGather` will be called soon. */
  get willGather(): boolean {
    return this.#isRunning;
  }

  /** So much waits already that nothing more should be asked for. */
  get isFull(): boolean {
    return this.#waitingWeight > MAX_WAITING_WEIGHT;
  }

  /** Resolves when the changes are committed. Never rejects: without a commit it never resolves. */
  commit(changes: Changes): Promise<Written> {
    return new Promise((resolve) => {
      const weight = weightOf(changes);
      this.#waitingWeight += weight;
      this.#queue.push({ changes, weight, resolve });
      if (!this.#isRunning) void this.#run();
    });
  }

  /** Resolves when nothing waits to be committed. */
  async whenIdle(): Promise<void> {
    if (this.#isRunning) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** Marks the database as away after a failed read, and looks for it until it is back. */
  suspect(): void {
    this.#isAway = true;
    if (!this.#isRunning) void this.#run();
  }

  /** The database is known to be away for a while: nobody need wait for his commit. */
  giveUp(): void {
    this.suspect();
    for (const listener of [...this.#givenUp]) listener();
  }

  onGivenUp(listener: () => void): () => void {
    this.#givenUp.add(listener);
    return () => this.#givenUp.delete(listener);
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    for (;;) {
      // Those who waited get their turn, and whoever asks in the same moment: all of it travels together.
      await turn();
      this.onGather();
      if (this.#queue.length === 0 && !this.#isAway) break;
      const taken = this.#take();
      const batch = mergeChanges(
        taken.map(({ changes }) => changes),
        randomUUID(),
      );
      const committed = await this.#persist(batch);
      if (committed === null) return;
      const { written } = committed;
      this.#options.onCommitted(committed.batch, written);
      this.#cut.forget(committed.batch);
      for (const { weight, resolve } of taken) {
        this.#waitingWeight -= weight;
        resolve(written);
      }
    }
    this.#isRunning = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #take(): Waiting[] {
    let weight = 0;
    let count = 0;
    for (const { weight: more } of this.#queue) {
      weight += more;
      if (count > 0 && weight > MAX_WEIGHT) break;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }

  /** Tries until it is committed. Null: this process is at its end. */
  async #persist(whole: Batch): Promise<Committed | null> {
    const { guard, owner, lane, log } = this.#options;
    const wanted = this.#cut.apply(whole);
    let batch = wanted;
    let conflicts = 0;
    for (let delayMs = RETRY_FIRST_MS; ; delayMs = Math.min(RETRY_MAX_MS, 2 * delayMs)) {
      // A transaction that could not be committed must not be begun: it would hold up the successor.
      await guard.untilMayAct();
      try {
        const written = await lane.transaction(
          {
            term: owner.term,
            timeoutMs: TRANSACTION_TIMEOUT_MS,
            mayCommit: () => guard.untilMayAct(),
          },
          (execute) => writeBatch(batch, owner, execute),
        );
        if (this.#isAway) log.info('the database takes changes again');
        this.#isAway = false;
        if (batch !== wanted) {
          log.error('there is no room for the output of runs: it is cut', {});
          this.#options.onOutputCut(this.#cut.note(wanted));
        }
        return { batch, written };
      } catch (error) {
        if (error instanceof DeposedError) {
          this.#options.onDeposed(error.message);
          return null;
        }
        if (!mayPass(error)) {
          this.#options.onDefect(error);
          return null;
        }
        if (isConflict(error) && conflicts < MOST_CONFLICTS) {
          conflicts += 1;
          log.debug('a conflict in the database: tries again', { error: messageOf(error) });
          await pause(conflicts * CONFLICT_PAUSE_MS);
          continue;
        }
        // Perhaps only the output has no room: the states of runs must not wait for it.
        if (sqlState(error) === DISK_FULL && batch.chunks.length > 0) {
          batch = OutputCut.all(wanted);
          continue;
        }
        batch = wanted;
        if (!this.#isAway) {
          log.warn('the database does not take changes', { error: messageOf(error) });
        }
        this.#isAway = true;
        await pause(delayMs);
      }
    }
  }
}

/** A deadlock or a failed serialization: the transaction was undone, and the same one may go well the next moment. */
function isConflict(error: unknown): boolean {
  return ['40001', '40P01'].includes(sqlState(error));
}

/** What the database says about the data itself will be said again; anything else may pass. */
function mayPass(error: unknown): boolean {
  const state = sqlState(error);
  if (!/^[0-9A-Z]{5}$/.test(state) || state.startsWith('E')) return true;
  return !['21', '22', '23', '42'].includes(state.slice(0, 2));
}
