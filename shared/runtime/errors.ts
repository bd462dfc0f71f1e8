import { tlsFault } from './tls/faults.ts';

/** Exit codes that service managers and scripts may rely on. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  /** EX_UNAVAILABLE: an agent gave up on its controllers. */
  gaveUp: 69,
  /** EX_SOFTWARE: a defect of Understudy itself. */
  defect: 70,
  /** EX_CONFIG: the configuration or the environment is wrong; restarting will not help. */
  badConfig: 78,
} as const;

/** An error that a person can act on: printed as its message alone, with this exit code. */
export class UserError extends Error {
  override readonly name = 'UserError';
  readonly exitCode: number;

  constructor(message: string, exitCode: number = exitCodes.failed) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') {
    return error.errors.map(messageOf).join('; ');
  }
  return error instanceof Error ? (tlsFault(error) ?? error.message) : String(error);
}
