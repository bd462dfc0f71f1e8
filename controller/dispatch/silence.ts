/**
 * When a worker that says nothing is taken for one that is not there any more, though its stream looks open: a
 * stream to a host that went dark does so for a quarter of an hour. Pure.
 */

/** What is known of a worker's voice, in milliseconds of one monotonic clock. */
export interface Voice {
  /** When it last said something. */
  readonly heardAt: number;
  /** Since when it has something under way, or was ordered to; null: it has nothing to do. */
  readonly atWorkSince: number | null;
}

/** A worker with something under way gives a sign of life every two seconds, or more often. */
const SILENT_AT_WORK_MS = 7_000;
const MOST_IDLE_SIGN_MS = 5_000;
/** So many signs in a row may be missing: one more than were lost, and time for a busy host to be late. */
const SIGNS_MISSED = 3.5;

/**
 * How often a worker with nothing to do is to give a sign of life. Thousands have nothing to do, and nobody waits
 * for them: that one of them is gone need not be known before an order goes to it.
 */
export function idleSignEveryMs(lostAfterMs: number): number {
  return Math.min(MOST_IDLE_SIGN_MS, lostAfterMs / 10);
}

/** Whether it has been silent for too long. One that was ordered something just now has its time to say so. */
export function isSilent(
  { heardAt, atWorkSince }: Voice,
  now: number,
  idleSignMs: number,
): boolean {
  if (atWorkSince !== null) return now - Math.max(heardAt, atWorkSince) > SILENT_AT_WORK_MS;
  return now - heardAt > Math.max(SILENT_AT_WORK_MS, SIGNS_MISSED * idleSignMs);
}
