import { unreachable } from '@understudy/shared/kernel/invariant';
import type { Job } from '@understudy/shared/protocol/api';

/** What a new run of a job does about the runs of that job that are not over. */
export type OverlapDecision =
  | { readonly type: 'queue' }
  | { readonly type: 'skip'; readonly reason: string }
  | { readonly type: 'replace'; readonly reason: string };

/** Decides what overlap means for one more run of a job. */
export function decideOverlap(overlap: Job['overlap'], openRuns: number): OverlapDecision {
  if (openRuns === 0) return { type: 'queue' };
  switch (overlap) {
    case 'allow':
    case 'queue':
      return { type: 'queue' };
    case 'skip':
      return { type: 'skip', reason: 'an earlier run of this job is not over (overlap: skip)' };
    case 'replace':
      return { type: 'replace', reason: 'a newer run takes its place (overlap: replace)' };
    default:
      return unreachable(overlap);
  }
}

/** Whether runs of the job go one after the other. */
export function isSerial(overlap: Job['overlap']): boolean {
  return overlap !== 'allow';
}
