/** Which instants of a schedule are due, and which were missed. Pure. */
import type { Job } from '@understudy/shared/protocol/api';

export interface DueQuestion {
  /** These have come up since the last decision, oldest first. */
  readonly instants: readonly number[];
  /** More have come up, newer ones, that are decided later. */
  readonly isPart: boolean;
  readonly now: number;
  readonly policy: CatchUpPolicy;
  /** Why nobody decided at that instant. */
  readonly whyMissed: (at: number) => string;
}

export type CatchUpPolicy = Pick<Job, 'catchUp' | 'catchUpWindowMs' | 'paused'>;

export interface Due {
  /** For these a run is made, oldest first. */
  readonly run: readonly number[];
  /** These are recorded as skipped, oldest first. */
  readonly skipped: readonly { readonly at: number; readonly reason: string }[];
}

/** An instant that comes up within this time was not missed: the clock ticks once a second. */
export const ON_TIME_MS = 2_500;

/** Decides about instants. The newest of them counts as the latest only if no newer one has come up. */
export function decideDue(question: DueQuestion): Due {
  const { instants, isPart, now, policy } = question;
  if (policy.paused) {
    return { run: [], skipped: instants.map((at) => ({ at, reason: 'the job is paused' })) };
  }
  const onTime = instants.filter((at) => now - at <= ON_TIME_MS);
  const missed = instants.filter((at) => now - at > ON_TIME_MS);
  const hasNewer = isPart || onTime.length > 0;
  const caughtUp = new Set(catchUpWith(missed, hasNewer, question));
  const skipped = missed
    .filter((at) => !caughtUp.has(at))
    .map((at) => ({ at, reason: reasonFor(at, question) }));
  return { run: [...caughtUp, ...onTime], skipped };
}

function catchUpWith(
  missed: readonly number[],
  hasNewer: boolean,
  question: DueQuestion,
): readonly number[] {
  const { catchUp } = question.policy;
  if (catchUp === 'none' || (catchUp === 'latest' && hasNewer)) return [];
  const wanted = catchUp === 'all' ? missed : missed.slice(-1);
  return wanted.filter((at) => isWithinWindow(at, question));
}

function isWithinWindow(at: number, { now, policy }: DueQuestion): boolean {
  return policy.catchUpWindowMs === null || now - at <= policy.catchUpWindowMs;
}

function reasonFor(at: number, question: DueQuestion): string {
  const seconds = Math.round((question.now - at) / 1_000);
  return `${question.whyMissed(at)}; noticed ${seconds} s later, ${whyNotCaughtUp(at, question)}`;
}

function whyNotCaughtUp(at: number, question: DueQuestion): string {
  if (question.policy.catchUp === 'none') return 'not caught up (catchUp: none)';
  if (!isWithinWindow(at, question)) return 'too late to be caught up (catchUpWindow)';
  return 'and a later one runs in its place (catchUp: latest)';
}
