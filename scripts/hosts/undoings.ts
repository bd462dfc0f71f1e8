/** What has to be undone at the end, however it comes: the last thing first, each once. */
export class Undoings {
  readonly #undoings: (() => unknown)[] = [];

  teardown(undo: () => unknown): void {
    this.#undoings.push(undo);
  }

  /** Undoes everything, also what comes after something that fails; then throws the first failure. */
  async undo(): Promise<void> {
    const problems: unknown[] = [];
    for (let next = this.#undoings.pop(); next !== undefined; next = this.#undoings.pop()) {
      try {
        await next();
      } catch (error) {
        problems.push(error);
      }
    }
    if (problems.length > 0) throw problems[0];
  }
}
