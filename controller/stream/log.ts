import { setTimeout as pause } from 'node:timers/promises';
import { isOver, type RunRecord } from '../dispatch/run.ts';
import { type Reader, StoreAwayError } from '../store/reader.ts';
import type { RunService } from '../work/runs.ts';
import type { WorkState } from '../work/state.ts';

export interface ReadLogOptions {
  readonly parts: {
    readonly reader: Reader;
    readonly runs: RunService;
    readonly state: WorkState;
  };
  readonly run: string;
  /** Where to begin, in bytes of the run's whole log. */
  readonly offset: number;
  /** Goes on until the run is over and everything was given. */
  readonly follow: boolean;
  readonly signal: AbortSignal;
}

const STORE_RETRY_MS = 500;

/**
 * Gives a run's log from an offset on: the output of its attempts, one after the other, as they wrote it.
 * What an attempt wrote no longer grows once it is over, so an offset means the same byte at any time and
 * on either controller. Only what is committed is given.
 */
export async function* readLog(options: ReadLogOptions): AsyncGenerator<Buffer> {
  const { parts, signal } = options;
  let offset = options.offset;
  const change = new RunChange(parts.state, options.run, signal);
  try {
    while (!signal.aborted) {
      const changed = change.next();
      try {
        const run = await parts.runs.get(options.run);
        for await (const piece of piecesFrom(parts.reader, run, offset)) {
          offset += piece.length;
          yield piece;
          if (signal.aborted) return;
        }
        if (!options.follow || isOver(run.state)) return;
      } catch (error) {
        // Who follows outlasts an outage of the database: nothing is lost, it only comes later.
        if (!options.follow || !(error instanceof StoreAwayError)) throw error;
        await pause(STORE_RETRY_MS);
        continue;
      }
      await changed;
    }
  } finally {
    change.stop();
  }
}

async function* piecesFrom(reader: Reader, run: RunRecord, offset: number): AsyncGenerator<Buffer> {
  let begin = 0;
  for (const { number, logBytes } of run.attempts) {
    let at = Math.max(0, offset - begin);
    while (at < logBytes) {
      const chunks = await reader.log({ run: run.id, attempt: number, from: at });
      const before = at;
      for (const { start, data } of chunks) {
        const piece = data.subarray(at - start, logBytes - start);
        if (start > at || piece.length === 0) break;
        at += piece.length;
        yield piece;
      }
      if (at === before) return;
    }
    begin += logBytes;
  }
}

/** Tells when a run was committed anew, or the reader has gone, also when that happens before somebody waits. */
class RunChange {
  readonly #unsubscribe: () => void;
  readonly #signal: AbortSignal;
  readonly #wake = () => this.#notify();
  #notify: () => void = () => undefined;

  constructor(state: WorkState, run: string, signal: AbortSignal) {
    this.#signal = signal;
    this.#unsubscribe = state.onRun(run, this.#wake);
    signal.addEventListener('abort', this.#wake);
  }

  /** Resolves at the first change from now on. */
  next(): Promise<void> {
    if (this.#signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      this.#notify = resolve;
    });
  }

  stop(): void {
    this.#unsubscribe();
    this.#signal.removeEventListener('abort', this.#wake);
  }
}
