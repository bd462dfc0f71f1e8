/** Raised when something that must hold does not. It is never caught to go on: the process ends. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/** Asserts what must hold. Stays on in production. Throws `InvariantError`. */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

/** Ends an exhaustive `switch`: the compiler proves that it cannot be reached. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable case: ${JSON.stringify(value)}`);
}
