import { messageOf } from '@understudy/shared/runtime/errors';
import type { Log } from '@understudy/shared/runtime/log';
import type { Batch } from './changes.ts';
import type { WriterLane } from './lane.ts';

export interface StatisticsOptions {
  /** A connection of its own: what is committed must not wait for this. */
  readonly lane: Pick<WriterLane, 'ask' | 'close'>;
  readonly log: Log;
}

/** So few runs are found by any plan. */
const FEW_RUNS = 300;
const LIMIT_MS = 10_000;

/**
 * Has the database look at its tables when they have become twice as large. One plan serves all batches, and
 * while the database has never looked it takes a pair for a few rows, and has each batch read all of them. By
 * itself it looks once a minute, or, where that is switched off, never.
 */
export class Statistics {
  readonly #options: StatisticsOptions;
  #made = 0;
  #madeAtLook = 0;
  #isStopped = false;
  #isLooking = false;

  constructor(options: StatisticsOptions) {
    this.#options = options;
  }

  noteCommitted({ newRuns }: Pick<Batch, 'newRuns'>): void {
    this.#made += newRuns.size;
    if (this.#isLooking || this.#isStopped || this.#made < 2 * this.#madeAtLook + FEW_RUNS) return;
    void this.#look();
  }

  stop(): void {
    this.#isStopped = true;
    this.#options.lane.close();
  }

  async #look(): Promise<void> {
    const { lane, log } = this.#options;
    this.#isLooking = true;
    this.#madeAtLook = this.#made;
    try {
      await lane.ask('analyze run', LIMIT_MS);
      await lane.ask('analyze attempt', LIMIT_MS);
    } catch (error) {
      // It goes on as before, only more slowly, and the next look may succeed.
      log.debug('the database did not look at its tables', { error: messageOf(error) });
    } finally {
      lane.close();
      this.#isLooking = false;
    }
  }
}
