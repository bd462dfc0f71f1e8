import { messageOf } from '@understudy/shared/runtime/errors';
import { DeposedError, type WriterLane } from '../store/lane.ts';
import type { Reader } from '../store/reader.ts';
import type { Background } from '../switch-over.ts';
import type { TenureContext } from '../work/context.ts';
import type { WorkState } from '../work/state.ts';
import { Pace } from './pace.ts';
import { type Bite, type SweepOptions, sweep } from './sweep.ts';

export interface RetentionConfig extends Pick<SweepOptions, 'runs' | 'eventsMs' | 'auditMs'> {
  /** Between the end of one look and the beginning of the next. */
  readonly everyMs: number;
}

export interface RetentionParts {
  readonly context: TenureContext;
  readonly config: RetentionConfig;
  readonly state: Pick<WorkState, 'jobs' | 'forget'>;
  readonly reader: Pick<Reader, 'select' | 'isAway'>;
  /** A connection of its own: what is committed for users does not wait for what is removed. */
  readonly lane: Pick<WriterLane, 'transaction' | 'close'>;
  readonly hooks: () => readonly string[];
  readonly onDeposed: (reason: string) => void;
}

/** A new active has more urgent things to do. */
const FIRST_AFTER_MS = 30_000;
const BITE_LIMIT_MS = 4_000;

/** Removes the history that need not be kept: now and then, in small bites, and only while all is well. */
export class Retention implements Background {
  readonly #parts: RetentionParts;
  #timer: NodeJS.Timeout | undefined;
  #isSweeping = false;
  #isRunning = false;
  #isStopped = false;
  #isBiting = false;
  #idle: (() => void)[] = [];

  constructor(parts: RetentionParts) {
    this.#parts = parts;
  }

  start(): void {
    if (this.#isRunning || this.#isStopped) return;
    this.#isRunning = true;
    this.#lookAfter(Math.min(FIRST_AFTER_MS, this.#parts.config.everyMs));
  }

  pause(): void {
    this.#isRunning = false;
    clearTimeout(this.#timer);
  }

  stop(): void {
    this.#isStopped = true;
    this.pause();
  }

  get isIdle(): boolean {
    return !this.#isBiting;
  }

  async whenIdle(): Promise<void> {
    if (this.#isBiting) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #lookAfter(ms: number): void {
    clearTimeout(this.#timer);
    if (!this.#isRunning) return;
    this.#timer = setTimeout(() => void this.#look(), ms).unref();
  }

  async #look(): Promise<void> {
    if (this.#isSweeping) return;
    this.#isSweeping = true;
    const { log } = this.#parts.context;
    try {
      const { bites, runs } = await this.#sweep();
      if (bites > 0) log.info('history was removed', { bites, runs });
    } catch (error) {
      if (error instanceof DeposedError) this.#parts.onDeposed(error.message);
      else log.warn('history could not be removed: tries again', { error: messageOf(error) });
    } finally {
      this.#isSweeping = false;
      this.#parts.lane.close();
      this.#lookAfter(this.#parts.config.everyMs);
    }
  }

  async #sweep(): Promise<{ bites: number; runs: number }> {
    const { context, config, state, reader, hooks } = this.#parts;
    const pace = new Pace();
    const { pair, clock } = context;
    let runs = 0;
    let bites = 0;
    const all = sweep({
      ...{ pair, reader, pace, hooks },
      ...{ runs: config.runs, eventsMs: config.eventsMs, auditMs: config.auditMs },
      jobOf: (name) => state.jobs.get(name)?.definition ?? null,
      onForgotten: (ids) => {
        runs += ids.length;
        state.forget(ids);
      },
    });
    for await (const bite of all) {
      if (!this.#mayBite()) break;
      const begunAt = clock.monotonicMs();
      await this.#take(bite);
      bites += 1;
      await rest(pace.restAfter(clock.monotonicMs() - begunAt));
    }
    return { bites, runs };
  }

  /** Whoever waits for the database, or is to be handed the tenure, comes first. */
  #mayBite(): boolean {
    const { committer, guard } = this.#parts.context;
    const isWell = !committer.isAway && !committer.isFull && !this.#parts.reader.isAway;
    return this.#isRunning && isWell && guard.mayAct();
  }

  async #take(bite: Bite): Promise<void> {
    const { term, guard } = this.#parts.context;
    const mayCommit = async () => {
      // It is not worth waiting for, with a transaction open.
      if (!guard.mayAct()) throw new Error('the tenure is in doubt');
    };
    this.#isBiting = true;
    try {
      await this.#parts.lane.transaction({ term, timeoutMs: BITE_LIMIT_MS, mayCommit }, bite);
    } finally {
      this.#isBiting = false;
      for (const resolve of this.#idle.splice(0)) resolve();
    }
  }
}

function rest(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
