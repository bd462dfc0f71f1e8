import { unreachable } from '@understudy/shared/kernel/invariant';
import type { Job } from '@understudy/shared/protocol/api';

/** What a new run of a job does about the runs of that job that are not over. */
export type OverlapDecision =
  | { readonly type: 'queue' }
  | { readonly type: 'skip'; readonly reason: string }
  /** So many of them, the oldest, make room. */
  | { readonly type: 'replace'; readonly count: number; readonly reason: string };

export type OverlapPolicy = Pick<Job, 'overlap' | 'concurrency'>;

/**
 * Decides what overlap means for one more run of a job. A job is full with as many open runs as its
 * `concurrency` says, with one if it says nothing.
 */
export function decideOverlap(policy: OverlapPolicy, openRuns: number): OverlapDecision {
  const { overlap } = policy;
  const full = policy.concurrency ?? 1;
  if (openRuns < full) return { type: 'queue' };
  switch (overlap) {
    case 'allow':
    case 'queue':
      return { type: 'queue' };
    case 'skip':
      return { type: 'skip', reason: reasonToSkip(full) };
    case 'replace':
      return {
        ...{ type: 'replace', count: openRuns - full + 1 },
        reason: 'a newer run takes its place (overlap: replace)',
      };
    default:
      return unreachable(overlap);
  }
}

/** So many runs of the job may be under way at once; null: any number. */
export function limitOf({ overlap, concurrency }: OverlapPolicy): number | null {
  return concurrency ?? (overlap === 'allow' ? null : 1);
}

function reasonToSkip(full: number): string {
  const which =
    full === 1 ? 'an earlier run of this job is' : `${full} earlier runs of this job are`;
  return `${which} not over (overlap: skip)`;
}
