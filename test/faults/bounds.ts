import type { Timers } from '@understudy/shared/kernel/timers';

/** What the timings of a pair promise, in milliseconds. */
export interface Bounds {
  /** After it has lost the store a node answers no one so long after its last renewal was sent. */
  readonly fenceMs: number;
  /** Another one serves so long after the last sign of life of the active. */
  readonly silenceMs: number;
  /** Another one serves so long after the lease was given back. */
  readonly releasedMs: number;
}

/** What a machine that runs other tests at the same time may add. */
export const BUSY_MS = 3_000;

export function boundsOf(timers: Timers): Bounds {
  const { ttlMs, marginMs, renewEveryMs, callTimeoutMs, activateWithinMs, worstCaseMs } = timers;
  return {
    fenceMs: ttlMs - marginMs,
    silenceMs: worstCaseMs,
    releasedMs: renewEveryMs + callTimeoutMs + activateWithinMs,
  };
}
