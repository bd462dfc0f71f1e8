import type { Attempt, End, Start } from './attempt.ts';

/** What a controller has yet to learn about an attempt, in the order in which it must learn it. */
export interface Due {
  readonly start: Start | null;
  /** Bytes of the output, `from` included, `to` not. */
  readonly log: { readonly from: number; readonly to: number } | null;
  /** Reported only with or after all of the output. */
  readonly end: End | null;
}

/** What is due for an attempt of whose output `written` bytes exist. Null: nothing. */
export function dueOf(state: Attempt, written: number): Due | null {
  if (state.phase === 'acknowledged') return null;
  const to = state.end === null ? written : state.end.logBytes;
  const from = state.logAcknowledged;
  const start = state.startAcknowledged ? null : state.start;
  const log = to > from ? { from, to } : null;
  if (start === null && log === null && state.end === null) return null;
  return { start, log, end: state.end };
}
