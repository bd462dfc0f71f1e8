import type { Engine } from '../kernel/engine.ts';

/** A transaction that holds the fence, or held it. */
export interface Writer {
  isOpen: boolean;
  /** Its COMMIT has begun: it can't be terminated any more, only waited for. */
  isCommitting: boolean;
}

interface Promoter {
  readonly run: () => void;
  readonly giveUp: () => void;
  isDone: boolean;
}

const LOCK_TIMEOUT_MS = 250;
const ATTEMPTS = 8;

/**
 * The pair's advisory lock: writers share it for the length of a transaction, a promoter takes it alone. Who
 * promotes waits a little, then terminates the writers that hold it; whoever comes later waits behind.
 */
export class FenceLock {
  readonly #engine: Engine;
  readonly #writers = new Set<Writer>();
  #promoters: Promoter[] = [];
  #waiting: (() => void)[] = [];

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Runs once the lock can be shared. */
  share(run: () => void): void {
    if (this.#promoters.length === 0) run();
    else this.#waiting.push(run);
  }

  hold(): Writer {
    const writer = { isOpen: true, isCommitting: false };
    this.#writers.add(writer);
    return writer;
  }

  letGo(writer: Writer): void {
    writer.isOpen = false;
    if (this.#writers.delete(writer)) this.#advance();
  }

  /** Runs with the lock taken alone; `giveUp` when writers could not be got rid of. */
  takeAlone(run: () => void, giveUp: () => void): void {
    if (this.#writers.size === 0 && this.#promoters.length === 0) {
      run();
      return;
    }
    const promoter = { run, giveUp, isDone: false };
    this.#promoters.push(promoter);
    this.#engine.after(LOCK_TIMEOUT_MS, () => this.#evict(promoter, 1));
  }

  /** The server is gone, and all its locks with it. */
  reset(): void {
    for (const writer of this.#writers) writer.isOpen = false;
    this.#writers.clear();
    for (const promoter of this.#promoters) promoter.isDone = true;
    this.#promoters = [];
    this.#waiting = [];
  }

  #evict(promoter: Promoter, attempt: number): void {
    if (promoter.isDone) return;
    for (const writer of [...this.#writers]) {
      if (!writer.isCommitting) this.letGo(writer);
    }
    if (promoter.isDone) return;
    if (attempt < ATTEMPTS) {
      this.#engine.after(LOCK_TIMEOUT_MS, () => this.#evict(promoter, attempt + 1));
      return;
    }
    promoter.isDone = true;
    this.#promoters = this.#promoters.filter((each) => each !== promoter);
    promoter.giveUp();
    this.#advance();
  }

  #advance(): void {
    while (this.#writers.size === 0) {
      const promoter = this.#promoters.shift();
      if (promoter === undefined) break;
      promoter.isDone = true;
      promoter.run();
    }
    if (this.#promoters.length > 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const run of waiting) run();
  }
}
