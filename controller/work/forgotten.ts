import { formatDurationMs } from '@understudy/shared/kernel/duration';
import type { Job } from '@understudy/shared/protocol/api';
import { type Kept, keptOf } from '../history/policy.ts';
import { instantOf } from '../store/ids.ts';
import { firstBeyond, storeNow } from '../store/old-history.ts';
import type { Reader } from '../store/reader.ts';
import { Refusal } from './refusal.ts';

export interface ForgottenOptions {
  readonly pair: string;
  readonly job: Pick<Job, 'name' | 'retention'>;
  /** For jobs that say nothing themselves. */
  readonly configured: Kept;
  readonly reader: Pick<Reader, 'select'>;
}

/**
 * Refuses to make runs for instants whose runs may have been removed as old: it would be taken for granted
 * that they were never run, and they would be run once more. To be asked after it was read which instants
 * have runs: what is removed after that was there then.
 */
export async function refuseForgotten(
  instants: readonly number[],
  { pair, job, configured, reader }: ForgottenOptions,
): Promise<void> {
  if (instants.length === 0) return;
  const first = Math.min(...instants);
  const { ageMs, count } = keptOf(job, configured);
  if (ageMs !== null) {
    const since = (await storeNow(reader)) - ageMs;
    const why = `runs of this job that ended more than ${formatDurationMs(ageMs)} ago are removed`;
    if (first < since) throw forgotten(first, since, `${why} (${settingOf('age', job)})`);
  }
  if (count === null) return;
  // Those that were removed were made before the oldest that is kept, and no run is made before its instant.
  const oldest = await firstBeyond(reader, pair, job.name, count - 1);
  if (oldest === null) return;
  const since = instantOf(oldest) + 1;
  const why = `only the newest ${count} runs of this job are kept`;
  if (first < since) throw forgotten(first, since, `${why} (${settingOf('count', job)})`);
}

/** Refuses more runs at once than are kept: the first would be removed, and be made anew by the next request. */
export function refuseUnkept(
  runs: number,
  { job, configured }: Pick<ForgottenOptions, 'job' | 'configured'>,
): void {
  const { count } = keptOf(job, configured);
  if (count === null || runs <= count) return;
  const expected = `a range with no more than ${count} runs to make, there are ${runs}: no more of this job are kept (${settingOf('count', job)})`;
  throw new Refusal('invalid', `to: expected ${expected}`, [{ field: 'to', expected }]);
}

function forgotten(first: number, since: number, why: string): Refusal {
  const expected = `${iso(since)} or later: ${why}, so nobody knows whether ${iso(first)} was run`;
  return new Refusal('invalid', `from: expected ${expected}`, [{ field: 'from', expected }]);
}

function settingOf(what: 'age' | 'count', { retention }: Pick<Job, 'retention'>): string {
  const own = what === 'age' ? retention?.ageMs : retention?.count;
  return `\`retention.${what}\` of the ${own === undefined ? 'configuration' : 'job'}`;
}

function iso(ms: number): string {
  return new Date(Math.ceil(ms)).toISOString();
}
