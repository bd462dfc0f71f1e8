/** Asks about processes that may be those which are being started. */
interface Question {
  /** Who has not turned out to be one of them. */
  readonly strangers: Set<number>;
  /** Starts with a higher number began after it was asked. */
  readonly upTo: number;
  readonly answer: () => void;
}

/** Starts under way, by number: what they start is there before anybody can say whose it is. */
export class Starts {
  readonly #open = new Set<number>();
  readonly #questions = new Set<Question>();
  #last = 0;

  /** A process is about to be started. To be called: when it was told who came of it, or that nobody did. */
  begin(): () => void {
    this.#last += 1;
    const start = this.#last;
    this.#open.add(start);
    return () => {
      this.#open.delete(start);
      for (const question of this.#questions) this.#look(question);
    };
  }

  /** This process came of a start. */
  came(pid: number): void {
    for (const { strangers } of this.#questions) strangers.delete(pid);
  }

  /** The number of the last start that has begun. */
  get last(): number {
    return this.#last;
  }

  /** The number of the first start that is not over; without end when all are. */
  get firstOpen(): number {
    // A set keeps the order in which they began.
    const [first = Number.POSITIVE_INFINITY] = this.#open;
    return first;
  }

  /**
   * Whether these processes, which live, are all what is being started: known once the starts that are under way
   * now are over. False, too, when that takes longer.
   */
  async explain(pids: readonly number[], withinMs: number): Promise<boolean> {
    if (this.#open.size === 0 || pids.length === 0) return pids.length === 0;
    const strangers = new Set(pids);
    await new Promise<void>((resolve) => {
      const answer = (): void => {
        clearTimeout(limit);
        this.#questions.delete(question);
        resolve();
      };
      const limit = setTimeout(answer, withinMs);
      const question = { strangers, upTo: this.#last, answer };
      this.#questions.add(question);
    });
    return strangers.size === 0;
  }

  #look({ strangers, upTo, answer }: Question): void {
    if (strangers.size === 0 || this.firstOpen > upTo) answer();
  }
}
