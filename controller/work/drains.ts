/** What ends a wait for a moment; timers of Node reach no further than this. */
const FARTHEST_MS = 2_147_483_647;

/** Moments at which agents are to be free, each called back once. */
export class Drains {
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #nowMs: () => number;
  readonly #onOver: (agent: string) => void;

  constructor(nowMs: () => number, onOver: (agent: string) => void) {
    this.#nowMs = nowMs;
    this.#onOver = onOver;
  }

  /** Waits for that moment from now on, for no other of that agent; null: for none. */
  set(agent: string, until: number | null): void {
    clearTimeout(this.#timers.get(agent));
    this.#timers.delete(agent);
    if (until === null) return;
    const leftMs = Math.min(FARTHEST_MS, Math.max(0, until - this.#nowMs()));
    const timer = setTimeout(() => {
      if (this.#nowMs() < until) this.set(agent, until);
      else this.#onOver(agent);
    }, leftMs);
    this.#timers.set(agent, timer.unref());
  }

  clear(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}
