import type { Host } from './host.ts';

interface Waiting {
  readonly isTimer: boolean;
  readonly run: () => void;
}

/** How late the timers of a process may be, in milliseconds. */
export interface Scheduling {
  readonly lagMs: () => number;
  /** After a pause, whether timers run before what came in meanwhile. */
  readonly timersFirst: () => boolean;
}

/**
 * A process: it takes in one thing after the other while it runs, in order; while it is stopped, or its
 * host is, everything waits; once it is dead nothing happens any more.
 */
export class Process {
  readonly host: Host;
  readonly name: string;
  readonly #scheduling: Scheduling;
  #pauses = 0;
  #waiting: Waiting[] = [];
  isAlive = true;

  constructor(host: Host, name: string, scheduling: Scheduling) {
    this.host = host;
    this.name = name;
    this.#scheduling = scheduling;
    host.onThaw(() => this.#goOn());
  }

  get isRunning(): boolean {
    return this.isAlive && this.#pauses === 0 && !this.host.isFrozen;
  }

  get isPaused(): boolean {
    return this.isAlive && !this.isRunning;
  }

  pause(): void {
    this.#pauses += 1;
  }

  resume(): void {
    if (this.#pauses > 0) this.#pauses -= 1;
    this.#goOn();
  }

  kill(): void {
    this.isAlive = false;
    this.#waiting = [];
  }

  /** Does something that came from outside: now, or when the process runs again. */
  take(run: () => void): void {
    if (!this.isAlive) return;
    if (this.isRunning) run();
    else this.#waiting.push({ isTimer: false, run });
  }

  /** Does something when the monotonic clock of the host has reached `dueMs`, or a little later. */
  timer(dueMs: number, run: () => void): void {
    const { host } = this;
    host.engine.at(host.instantOf(dueMs) + this.#scheduling.lagMs(), () => this.#due(dueMs, run));
  }

  #due(dueMs: number, run: () => void): void {
    if (!this.isAlive) return;
    if (!this.isRunning) {
      this.#waiting.push({ isTimer: true, run: () => this.#due(dueMs, run) });
      return;
    }
    // The clock may have stood still meanwhile.
    if (this.host.monotonicMs() < dueMs - 1e-6) this.timer(dueMs, run);
    else run();
  }

  #goOn(): void {
    if (!this.isRunning || this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    const inOrder = this.#scheduling.timersFirst()
      ? [...waiting.filter((each) => each.isTimer), ...waiting.filter((each) => !each.isTimer)]
      : waiting;
    for (const each of inOrder) {
      if (!this.isAlive) return;
      if (this.isRunning) each.run();
      else this.#waiting.push(each);
    }
  }
}
