import type { RunState } from '@understudy/shared/protocol/api';
import type { RunRecord } from '../dispatch/run.ts';

/** Which runs somebody looks for. All of it must hold; null, or no state, asks for nothing. */
export interface RunFilter {
  readonly job: string | null;
  /** In one of these states. */
  readonly states: readonly RunState[];
  /** With an attempt on this agent. */
  readonly agent: string | null;
  /** Made at this instant or later, milliseconds since 1970. */
  readonly since: number | null;
  /** Made before this instant. */
  readonly until: number | null;
  /** In its reason, or in the name or the value of a parameter; capitals and small letters are the same. */
  readonly text: string | null;
  /** Older than the run with this id: where the last page ended. */
  readonly after: string | null;
  readonly limit: number;
}

/** A page of runs, newest first. */
export interface FoundRuns {
  readonly runs: readonly RunRecord[];
  /**
   * Where the next page begins; null: there is none. A page may hold less than was asked for, even nothing,
   * while there is a next one: so much was looked through for it.
   */
  readonly next: string | null;
}

/** Whether a run is one of those that are looked for. */
export function matches(run: RunRecord, filter: RunFilter): boolean {
  const { job, states, agent, since, until, text, after } = filter;
  return (
    (job === null || run.job === job) &&
    (states.length === 0 || states.includes(run.state)) &&
    (agent === null || run.attempts.some((attempt) => attempt.agent === agent)) &&
    (since === null || run.createdAt >= since) &&
    (until === null || run.createdAt < until) &&
    (text === null || holds(run, text.toLowerCase())) &&
    (after === null || run.id < after)
  );
}

function holds({ reason, parameters }: RunRecord, text: string): boolean {
  const texts = [reason ?? '', ...Object.entries(parameters).flat()];
  return texts.some((each) => String(each).toLowerCase().includes(text));
}
