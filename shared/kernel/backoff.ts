/** Settings of a growing, jittered delay, in milliseconds. */
export interface BackoffOptions {
  readonly firstMs: number;
  readonly factor: number;
  readonly maxMs: number;
}

/**
 * The delay before try number `attempt` (from 0). `jitter` in [0, 1) spreads it over its upper half,
 * so that many clients that failed together do not come back together.
 */
export function backoffMs(options: BackoffOptions, attempt: number, jitter: number): number {
  const full = Math.min(options.maxMs, options.firstMs * options.factor ** attempt);
  return full / 2 + (full / 2) * jitter;
}
