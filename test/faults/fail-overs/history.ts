import type { StartLine } from '../../support/invariants/work.ts';
import type { WorkName } from './work.ts';

/** A run that a user asked for. Each ask has a ticket of its own, which the run carries as a parameter. */
export interface Asked {
  readonly ticket: string;
  readonly job: WorkName;
  readonly isKeyed: boolean;
  readonly lines: number;
  /** Seconds from one line to the next. */
  readonly everyS: number;
}

/** One that was answered 2xx. */
export interface Accepted extends Asked {
  readonly run: string;
  /** When the answer came, in milliseconds of the monotonic clock. */
  readonly atMs: number;
}

export interface RunFact {
  readonly id: string;
  readonly job: string;
  readonly state: string;
  readonly reason: string | null;
  readonly agent: string | null;
  readonly key: string | null;
  readonly ticket: string;
  /** How many events tell that it ended. */
  readonly ends: number;
}

export interface AttemptFact {
  readonly run: string;
  readonly number: number;
  readonly state: string;
  readonly reason: string | null;
  readonly agent: string;
  readonly logBytes: number;
}

/** A piece of output as it is stored. */
export interface ChunkFact {
  readonly run: string;
  readonly attempt: number;
  readonly start: number;
  readonly data: Buffer;
}

/** All that is known of a storm when it is over. */
export interface StormHistory {
  readonly asked: readonly Asked[];
  readonly accepted: readonly Accepted[];
  readonly runs: readonly RunFact[];
  readonly attempts: readonly AttemptFact[];
  /** In their order. */
  readonly chunks: readonly ChunkFact[];
  readonly starts: readonly StartLine[];
  /** The last line that an attempt says it has written, by `run attempt`. */
  readonly written: ReadonlyMap<string, number>;
  /** What followers of a run were given. */
  readonly followed: ReadonlyMap<string, Buffer>;
  /** Agents that were killed: what ran there may be lost. */
  readonly killedAgents: ReadonlySet<string>;
}

export function attemptKey(run: string, attempt: number): string {
  return `${run} ${attempt}`;
}
