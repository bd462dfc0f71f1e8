import { isOver } from '../dispatch/run.ts';
import type { Reader } from '../store/reader.ts';
import type { WorkState } from '../work/state.ts';
import { type FoundRuns, matches, type RunFilter } from './run-filter.ts';

export interface ListRunsParts {
  readonly reader: Pick<Reader, 'isAway' | 'listRuns'>;
  readonly state: Pick<WorkState, 'committedOpen'>;
}

/**
 * Runs as they are committed, newest first. While the database is away those that are open can be given,
 * because all of them are here, when nobody asks for more than them.
 */
export async function listRuns(
  filter: RunFilter,
  { reader, state }: ListRunsParts,
): Promise<FoundRuns> {
  const { states, limit } = filter;
  const isOfOpen = states.length > 0 && !states.some(isOver);
  if (!reader.isAway || !isOfOpen) return await reader.listRuns(filter);
  const found = state.committedOpen().filter((run) => matches(run, filter));
  const runs = found.slice(0, limit);
  return { runs, next: found.length > limit ? (runs.at(-1)?.id ?? null) : null };
}
