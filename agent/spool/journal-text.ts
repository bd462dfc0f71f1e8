/** The journal as text, one JSON value a line. Pure: how attempts are written down and read back. */
import {
  type Attempt,
  type AttemptEvent,
  attemptId,
  type End,
  isOpen,
  orderedAttempt,
  type Start,
  stepAttempt,
} from '../attempt/attempt.ts';

/** Which clock the instants of the lines below were read from. */
export interface ClockOrigin {
  /** The boot of the host: the monotonic clock is the same within one. */
  readonly boot: string;
  /** Wall clock minus monotonic clock: relates instants across boots. */
  readonly wallMinusMonotonicMs: number;
}

export type Line =
  | ({ readonly t: 'open' } & ClockOrigin)
  | { readonly t: 'attempt'; readonly attempt: StoredAttempt }
  | {
      readonly t: 'start';
      readonly run: string;
      readonly attempt: number;
      readonly term: string;
    }
  | {
      readonly t: 'event';
      readonly run: string;
      readonly attempt: number;
      readonly event: Exclude<AttemptEvent, { type: 'journalled' }>;
    };

type StoredAttempt = Omit<Attempt, 'term'> & { readonly term: string };

/**
 * The line of a whole attempt, for a journal that is written anew. One whose own line is still on its
 * way counts as journalled: at worst it is reported lost without having been started.
 */
export function attemptLine(attempt: Attempt): Line {
  const phase = attempt.phase === 'ordered' ? 'journalled' : attempt.phase;
  return { t: 'attempt', attempt: { ...attempt, phase, term: String(attempt.term) } };
}

export interface Replayed {
  readonly attempts: Map<string, Attempt>;
  /** Length of the part that is whole; a crash may leave half a line behind it. */
  readonly wholeBytes: number;
  readonly lines: number;
  readonly unreadable: number;
}

/** Reads a journal back. Instants come out on the monotonic clock of `origin`. */
export function replay(text: string, origin: ClockOrigin): Replayed {
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  const attempts = new Map<string, Attempt>();
  let shiftMs = 0;
  let [lines, unreadable] = [0, 0];
  for (const row of whole.split('\n')) {
    if (row === '') continue;
    lines += 1;
    try {
      const line = JSON.parse(row) as Line;
      if (line.t === 'open') shiftMs = shiftOf(line, origin);
      else apply(attempts, line, shiftMs);
    } catch {
      unreadable += 1;
    }
  }
  return { attempts, wholeBytes: Buffer.byteLength(whole), lines, unreadable };
}

function shiftOf(then: ClockOrigin, now: ClockOrigin): number {
  if (then.boot === now.boot) return 0;
  return then.wallMinusMonotonicMs - now.wallMinusMonotonicMs;
}

function apply(
  attempts: Map<string, Attempt>,
  line: Exclude<Line, { t: 'open' }>,
  shiftMs: number,
): void {
  if (line.t === 'attempt') {
    const { start, end, term } = line.attempt;
    attempts.set(attemptId(line.attempt), {
      ...line.attempt,
      term: BigInt(term),
      asked: 0,
      start: shiftStart(start, shiftMs),
      end: shiftEnd(end, shiftMs),
    });
    return;
  }
  const id = attemptId(line);
  if (line.t === 'start') {
    if (attempts.has(id)) return;
    const ordered = orderedAttempt(line, BigInt(line.term));
    attempts.set(id, stepAttempt(ordered, { type: 'journalled' }));
    return;
  }
  const known = attempts.get(id);
  if (known === undefined || !fits(known, line.event)) return;
  attempts.set(id, stepAttempt(known, shiftEvent(line.event, shiftMs)));
}

/** A journal written anew may hold what a line behind it tells once more. */
function fits(known: Attempt, event: AttemptEvent): boolean {
  switch (event.type) {
    case 'started':
      return known.phase === 'journalled';
    case 'ended':
      return isOpen(known);
    case 'end-acknowledged':
      return known.end !== null;
    default:
      return true;
  }
}

function shiftEvent(event: AttemptEvent, shiftMs: number): AttemptEvent {
  switch (event.type) {
    case 'started':
      return { ...event, start: { ...event.start, atMs: event.start.atMs + shiftMs } };
    case 'ended':
      return { ...event, end: { ...event.end, atMs: event.end.atMs + shiftMs } };
    default:
      return event;
  }
}

function shiftStart(start: Start | null, shiftMs: number): Start | null {
  return start === null ? null : { ...start, atMs: start.atMs + shiftMs };
}

function shiftEnd(end: End | null, shiftMs: number): End | null {
  return end === null ? null : { ...end, atMs: end.atMs + shiftMs };
}
