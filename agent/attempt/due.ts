import type { Attempt, End, Start } from './attempt.ts';

/** What a controller has yet to learn about an attempt, in the order in which it must learn it. */
export interface Due {
  readonly start: Start | null;
  /** Bytes of the output, `from` included, `to` not. */
  readonly log: { readonly from: number; readonly to: number } | null;
  /** Reported only with or after all of the output. */
  readonly end: End | null;
}

/**
 * A start is told by itself once the attempt has lasted so long: most of those that are short have ended by
 * then, and to have both committed costs no more than one.
 */
export const startAloneAfterMs = 10;

/** What is due for an attempt of whose output `written` bytes exist. Null: nothing. */
export function dueOf(state: Attempt, written: number, nowMs: number): Due | null {
  if (state.phase === 'acknowledged') return null;
  const to = state.end === null ? written : state.end.logBytes;
  const from = state.logAcknowledged;
  const start = state.startAcknowledged ? null : state.start;
  const log = to > from ? { from, to } : null;
  const isStartDue = start !== null && nowMs - start.atMs >= startAloneAfterMs;
  if (!isStartDue && log === null && state.end === null) return null;
  return { start, log, end: state.end };
}
