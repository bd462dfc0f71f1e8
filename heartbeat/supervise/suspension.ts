import type { Clock } from '@understudy/shared/runtime/clock';

const TICK_MS = 1_000;

/**
 * Watches for a suspension of this host: the wall clock then moves on while the monotonic clock may not,
 * so the two disagree by more than `marginMs` between two looks. A corrected wall clock looks the same,
 * which costs one needless renewal. It looks by itself once a second; `look` is for moments at which
 * something is about to be trusted, such as an answer that may have waited out a suspension.
 */
export class SuspensionWatch {
  readonly #clock: Clock;
  readonly #marginMs: number;
  readonly #onSuspended: () => void;
  #offsetMs: number;
  #timer: NodeJS.Timeout | null = null;

  constructor(clock: Clock, marginMs: number, onSuspended: () => void) {
    this.#clock = clock;
    this.#marginMs = marginMs;
    this.#onSuspended = onSuspended;
    this.#offsetMs = this.#presentOffsetMs();
  }

  start(): void {
    this.#offsetMs = this.#presentOffsetMs();
    this.#timer = setInterval(() => this.look(), TICK_MS);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  /** Wall clock minus monotonic clock at the last look. */
  get offsetMs(): number {
    return this.#offsetMs;
  }

  look(): void {
    const present = this.#presentOffsetMs();
    const gapMs = Math.abs(present - this.#offsetMs);
    this.#offsetMs = present;
    if (gapMs > this.#marginMs) this.#onSuspended();
  }

  #presentOffsetMs(): number {
    return this.#clock.wallMs() - this.#clock.monotonicMs();
  }
}
