/** Whose a cluster is: a test, or all tests of a file. What is to be undone at its end is left with it. */
export interface Owner {
  readonly passed: boolean;
  teardown(undo: () => unknown): void;
  log(text: string): void;
}
