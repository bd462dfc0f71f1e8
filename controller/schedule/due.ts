/** Which instants of a schedule are due, and which were missed. Pure. */
import type { Job } from '@understudy/shared/protocol/api';

export interface DueQuestion {
  /** These have come up since the last decision, oldest first. */
  readonly instants: readonly number[];
  /** More have come up, newer ones, that are decided later. */
  readonly isPart: boolean;
  readonly now: number;
  readonly catchUp: Job['catchUp'];
}

export interface Due {
  /** For these a run is made, oldest first. */
  readonly run: readonly number[];
  /** These are recorded as skipped, oldest first. */
  readonly skipped: readonly { readonly at: number; readonly reason: string }[];
}

/** An instant that comes up within this time was not missed: the clock ticks once a second. */
export const ON_TIME_MS = 2_500;
/** Decides about instants. The newest of them counts as the latest only if no newer one has come up. */
export function decideDue({ instants, isPart, now, catchUp }: DueQuestion): Due {
  const onTime = instants.filter((at) => now - at <= ON_TIME_MS);
  const missed = instants.filter((at) => now - at > ON_TIME_MS);
  const hasNewer = isPart || onTime.length > 0;
  const caughtUp = new Set(catchUpWith(missed, hasNewer, catchUp));
  const skipped = missed
    .filter((at) => !caughtUp.has(at))
    .map((at) => ({ at, reason: reasonFor(at, now, catchUp) }));
  return { run: [...caughtUp, ...onTime], skipped };
}

function catchUpWith(
  missed: readonly number[],
  hasNewer: boolean,
  catchUp: Job['catchUp'],
): readonly number[] {
  if (catchUp === 'all') return missed;
  if (catchUp === 'latest' && !hasNewer) return missed.slice(-1);
  return [];
}

function reasonFor(at: number, now: number, catchUp: Job['catchUp']): string {
  const late = `no controller could start it in time; it was noticed ${Math.round((now - at) / 1_000)} s later`;
  return catchUp === 'none'
    ? `${late} (catchUp: none)`
    : `${late}, and a later one runs in its place`;
}
