import type { Term } from '@understudy/shared/kernel/term';
import type { Action, Manner } from '@understudy/shared/protocol/action';
import type { Attempt, Job, RunState } from '@understudy/shared/protocol/api';

export type AttemptState = Attempt['state'];

/** One try of a run on one agent. Instants are milliseconds since 1970. */
export interface AttemptRecord {
  readonly number: number;
  readonly agent: string;
  readonly orderedTerm: Term;
  readonly state: AttemptState;
  readonly orderedAt: number;
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly reason: string | null;
  readonly logBytes: number;
}

/** What of the job's definition counts for a run, as it was when the run was made. */
export interface RunSpec extends Readonly<Action> {
  /** Not there in a run that an older version has made. */
  readonly manner?: Manner;
  readonly env: Readonly<Record<string, string>>;
  /** Names of secrets that it is given. Not there: none. */
  readonly secrets?: readonly string[];
  readonly selector: Readonly<Record<string, string>>;
  readonly delivery: Job['delivery'];
  readonly retries: Job['retries'];
  readonly onAgentLost: Job['onAgentLost'];
  /** So long after it was due it is late, unless it has started. */
  readonly lateMs: number | null;
  readonly timeoutMs: number | null;
  readonly priority: number;
  /** So many runs of the job may be under way at once; null: any number. */
  readonly limit: number | null;
  /** What the command is told; a repeated run is told the instant of the run that it repeats. */
  readonly instant: number | null;
}

/** One execution of a job. A value: each change makes a new one. */
export interface RunRecord {
  readonly id: string;
  readonly job: string;
  readonly state: RunState;
  readonly scheduledFor: number | null;
  readonly createdAt: number;
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
  readonly exitCode: number | null;
  readonly reason: string | null;
  readonly agent: string | null;
  readonly parameters: Readonly<Record<string, string>>;
  readonly spec: RunSpec;
  readonly idempotencyKey: string | null;
  readonly retryOf: string | null;
  /** The one agent on which it may run; null: any that the selector takes. */
  readonly target: string | null;
  /** The runs that were made together, one for each agent. */
  readonly batch: string | null;
  /** Who wanted it: the schedule, another run, or the caller of that name. */
  readonly orderedBy: string | null;
  /** When it was noticed that it had not started in time. */
  readonly lateAt: number | null;
  readonly notBefore: number | null;
  readonly cancelReason: string | null;
  /** The term under which it last changed. */
  readonly term: Term;
  readonly attempts: readonly AttemptRecord[];
}

/** When, and under which term, something changes. */
export interface Moment {
  readonly now: number;
  readonly term: Term;
}

const rank = { queued: 0, dispatched: 1, running: 2 } as const;

/** Whether a run or an attempt in this state is over for good. */
export function isOver(state: RunState | AttemptState): boolean {
  return !(state in rank);
}

/**
 * The lattice of run states: forward, or back to `queued` for another attempt. A state in which a run is
 * over is final.
 */
export function mayFollow(last: RunState, next: RunState): boolean {
  if (isOver(last)) return false;
  if (isOver(next) || next === 'queued') return true;
  return rank[next as keyof typeof rank] > rank[last as keyof typeof rank];
}

/** The attempt that is under way; null when there is none. */
export function openAttempt(run: RunRecord): AttemptRecord | null {
  const last = run.attempts.at(-1);
  return last === undefined || isOver(last.state) ? null : last;
}

/** Runs of one line overlap with each other: those of a job, or of a job on one agent. */
export function lineOf({ job, target }: Pick<RunRecord, 'job' | 'target'>): string {
  return target === null ? job : `${job} ${target}`;
}

/** Length of a run's log: the output of all its attempts, one after the other. */
export function logBytesOf(run: RunRecord): number {
  return run.attempts.reduce((sum, { logBytes }) => sum + logBytes, 0);
}
