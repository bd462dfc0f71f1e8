/** Agents that are away, each with its time to come back. */
export class Absences {
  readonly #afterMs: number;
  readonly #onGone: (id: string) => void;
  readonly #timers = new Map<string, NodeJS.Timeout>();

  constructor(afterMs: number, onGone: (id: string) => void) {
    this.#afterMs = afterMs;
    this.#onGone = onGone;
  }

  /** From now on its time runs. */
  begin(id: string): void {
    this.end(id);
    const timer = setTimeout(() => {
      this.#timers.delete(id);
      this.#onGone(id);
    }, this.#afterMs);
    this.#timers.set(id, timer);
  }

  /** It is back, or nobody waits for it any more. */
  end(id: string): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
  }

  endAll(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}
