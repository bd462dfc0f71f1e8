import type { HostedEnd } from '../host/link.ts';
import type { Cause, Ended, Running } from './execute.ts';

export interface HostedAttemptOptions {
  /** Of the host. */
  readonly pid: number;
  readonly timeoutMs: number | null;
  readonly graceMs: number;
  /** Tells the host that it is to end. */
  readonly abort: (reason: string) => void;
  /** It did not end within its grace; whether that can't wait. */
  readonly giveUp: (isUrgent: boolean) => void;
  /** How much of its output lies on the disk. */
  readonly keptBytes: () => number;
}

/** An attempt in a module host, as the worker sees it. */
export class HostedAttempt implements Running {
  readonly #options: HostedAttemptOptions;
  readonly #limit: NodeJS.Timeout | undefined;
  readonly ended: Promise<Ended>;
  #resolve: (ended: Ended) => void = () => undefined;
  #cause: Cause | null = null;
  #killer: NodeJS.Timeout | undefined;
  #giveUpAtMs = Number.POSITIVE_INFINITY;
  #written = 0;
  #isOver = false;
  isGivenUp = false;

  constructor(options: HostedAttemptOptions) {
    this.#options = options;
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    const { timeoutMs } = options;
    if (timeoutMs === null) return;
    const late = { outcome: 'timed-out', reason: `ran longer than ${timeoutMs} ms` } as const;
    this.#limit = setTimeout(() => this.end(late), timeoutMs);
  }

  get pid(): number {
    return this.#options.pid;
  }

  written(): number {
    return this.#written;
  }

  wrote(bytes: number): void {
    this.#written = bytes;
  }

  end(cause: Cause, graceMs = this.#options.graceMs): void {
    if (this.#isOver) return;
    if (this.#cause === null) this.#options.abort(cause.reason);
    this.#cause ??= cause;
    const giveUpAtMs = performance.now() + Math.min(graceMs, this.#options.graceMs);
    if (giveUpAtMs >= this.#giveUpAtMs) return;
    this.#giveUpAtMs = giveUpAtMs;
    clearTimeout(this.#killer);
    this.#killer = setTimeout(() => this.#giveUp(), giveUpAtMs - performance.now());
  }

  /** The host says that it is over. */
  finish({ outcome, exitCode, reason, bytes }: HostedEnd): void {
    const cause = this.#cause;
    if (cause === null) this.#settle({ outcome, exitCode, signal: null, reason, logBytes: bytes });
    else this.#settle({ ...cause, exitCode, signal: null, logBytes: bytes });
  }

  /**
   * The host is gone. An attempt that was alone in it failed with it (`signalled`); of several nobody knows
   * whose fault that was. A host that was never ready has begun nothing.
   */
  hostGone(reason: string, left: 'not-started' | 'signalled' | 'lost'): void {
    const nothing = { exitCode: null, signal: null, logBytes: this.#options.keptBytes() };
    const cause = this.#cause;
    if (cause !== null) {
      const how = this.isGivenUp
        ? '; it did not end by itself, and its module host was killed'
        : '';
      this.#settle({ ...nothing, ...cause, reason: `${cause.reason}${how}` });
    } else {
      this.#settle({ ...nothing, outcome: left, reason });
    }
  }

  #giveUp(): void {
    this.isGivenUp = true;
    this.#options.giveUp(this.#cause?.outcome === 'lost');
  }

  #settle(ended: Ended): void {
    this.#isOver = true;
    clearTimeout(this.#limit);
    clearTimeout(this.#killer);
    this.#resolve(ended);
  }
}
