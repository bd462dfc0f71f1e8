import type { Job } from '@understudy/shared/protocol/api';

/** How much of what is over is kept. Null: without a limit. */
export interface Kept {
  readonly ageMs: number | null;
  readonly count: number | null;
}

/** What a job says of its own runs counts before what is configured for all. */
export function keptOf(job: Pick<Job, 'retention'> | null, configured: Kept): Kept {
  const own = job?.retention ?? null;
  if (own === null) return configured;
  return {
    ageMs: own.ageMs === undefined ? configured.ageMs : own.ageMs,
    count: own.count === undefined ? configured.count : own.count,
  };
}
