import type { Clock } from '@understudy/shared/runtime/clock';
import type { Engine } from './engine.ts';

export interface HostClocks {
  /** How fast its clocks run: 1 is true. */
  readonly rate: number;
  /** What its monotonic clock shows at the beginning. */
  readonly monotonicMs: number;
  /** What its wall clock shows at the beginning. */
  readonly wallMs: number;
}

const THAW_MS = 0.01;

/** A machine: its clocks, and whether it runs at all. Everything on it stops with it. */
export class Host {
  readonly name: string;
  readonly engine: Engine;
  readonly clock: Clock;
  readonly #rate: number;
  #monotonicBase: number;
  #wallBase: number;
  /** For so long, in true time, was its monotonic clock stopped. */
  #stoppedFor = 0;
  #stoppedAt: number | null = null;
  #freezes = 0;
  readonly #onThaw: (() => void)[] = [];
  /** Counts boots: what a process of an earlier boot planned does not happen. */
  boots = 0;

  constructor(name: string, engine: Engine, clocks: HostClocks) {
    this.name = name;
    this.engine = engine;
    this.#rate = clocks.rate;
    this.#monotonicBase = clocks.monotonicMs;
    this.#wallBase = clocks.wallMs;
    this.clock = {
      monotonicMs: () => this.monotonicMs(),
      monotonicNs: () => BigInt(Math.round(this.monotonicMs() * 1e6)),
      wallMs: () => this.#wallBase + this.#rate * engine.now,
    };
  }

  get isFrozen(): boolean {
    return this.#freezes > 0;
  }

  monotonicMs(): number {
    const at = this.#stoppedAt ?? this.engine.now;
    return this.#monotonicBase + this.#rate * (at - this.#stoppedFor);
  }

  /** The true instant at which the monotonic clock shows `ms`, unless it is stopped before. */
  instantOf(ms: number): number {
    return (ms - this.#monotonicBase) / this.#rate + this.#stoppedFor;
  }

  /** Stops everything that runs here. With `clockToo` the monotonic clock stands still as well. */
  freeze(clockToo: boolean): void {
    this.#freezes += 1;
    if (clockToo) this.#stoppedAt ??= this.engine.now;
  }

  thaw(): void {
    this.#freezes -= 1;
    if (this.#freezes > 0) return;
    if (this.#stoppedAt !== null) this.#stoppedFor += this.engine.now - this.#stoppedAt;
    this.#stoppedAt = null;
    // No clock stands still between what was before and what comes after.
    this.engine.after(THAW_MS, () => {
      for (const run of this.#onThaw) run();
    });
  }

  onThaw(run: () => void): void {
    this.#onThaw.push(run);
  }

  jumpWallClock(byMs: number): void {
    this.#wallBase += byMs;
  }

  /** Begins another life: the monotonic clock starts from anew. */
  boot(): void {
    this.boots += 1;
    this.#stoppedFor = 0;
    this.#monotonicBase = 1_000 - this.#rate * this.engine.now;
  }
}
