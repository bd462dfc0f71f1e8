/** Tells those who wait that something has happened. */
export class News {
  #count = 0;
  readonly #waiting = new Set<() => void>();

  /** How often something has happened so far. */
  get count(): number {
    return this.#count;
  }

  tell(): void {
    this.#count += 1;
    for (const listener of [...this.#waiting]) listener();
  }

  /** Resolves when something has happened since there were `count`, after `limitMs`, and when `signal` aborts. */
  since(count: number, limitMs: number, signal: AbortSignal): Promise<void> {
    if (this.#count !== count || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        this.#waiting.delete(done);
        // What happens in the same moment travels together.
        setImmediate(resolve);
      };
      const timer = setTimeout(done, limitMs);
      signal.addEventListener('abort', done, { once: true });
      this.#waiting.add(done);
    });
  }
}
