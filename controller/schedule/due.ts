/** Which instants of a schedule are due, and which were missed. Pure: the cron computation is given. */
import type { Job } from '@understudy/shared/protocol/api';

/** The instants of a schedule, as a cron library computes them. Milliseconds since 1970. */
export interface Instants {
  /** The first one after an instant; null: there is none. */
  next(after: number): number | null;
  /** The last one before an instant; null: there is none. */
  previous(before: number): number | null;
}

export interface DueQuestion {
  readonly instants: Instants;
  /** Up to this instant everything is decided. */
  readonly decidedUntil: number;
  readonly now: number;
  readonly catchUp: Job['catchUp'];
}

export interface Due {
  /** For these a run is made, oldest first. */
  readonly run: readonly number[];
  /** These are recorded as skipped, oldest first. */
  readonly skipped: readonly { readonly at: number; readonly reason: string }[];
  /** More were missed than are recorded. */
  readonly cut: boolean;
  readonly decidedUntil: number;
}

/** An instant that comes up within this time was not missed: the clock ticks once a second. */
export const ON_TIME_MS = 2_500;
/** So many instants are looked at; older ones that were missed are not recorded. */
export const MAX_INSTANTS = 1_000;

/** Decides about all instants since the last decision. An instant is never decided twice. */
export function decideDue({ instants, decidedUntil, now, catchUp }: DueQuestion): Due {
  const { found, cut } = between(instants, decidedUntil, now);
  const onTime = found.filter((at) => now - at <= ON_TIME_MS);
  const missed = found.filter((at) => now - at > ON_TIME_MS);
  const caughtUp = catchUpWith(missed, onTime, catchUp);
  const skipped = missed
    .filter((at) => !caughtUp.includes(at))
    .map((at) => ({ at, reason: reasonFor(at, now, catchUp) }));
  return {
    run: [...caughtUp, ...onTime],
    skipped,
    cut,
    decidedUntil: found.at(-1) ?? decidedUntil,
  };
}

// Backwards from now, so that a long absence costs no more than a short one.
function between(instants: Instants, after: number, until: number) {
  const found: number[] = [];
  let at = instants.previous(until + 1);
  while (at !== null && at > after && found.length < MAX_INSTANTS) {
    found.push(at);
    at = instants.previous(at);
  }
  return { found: found.reverse(), cut: at !== null && at > after };
}

function catchUpWith(
  missed: readonly number[],
  onTime: readonly number[],
  catchUp: Job['catchUp'],
): readonly number[] {
  if (catchUp === 'all') return missed;
  if (catchUp === 'latest' && onTime.length === 0) return missed.slice(-1);
  return [];
}

function reasonFor(at: number, now: number, catchUp: Job['catchUp']): string {
  const late = `no controller could start it in time; it was noticed ${Math.round((now - at) / 1_000)} s later`;
  return catchUp === 'none'
    ? `${late} (catchUp: none)`
    : `${late}, and a later one runs in its place`;
}
