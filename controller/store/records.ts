import type { Term } from '@understudy/shared/kernel/term';
import type { Job } from '@understudy/shared/protocol/api';

/** A job with what its schedule was decided for. Instants are milliseconds since 1970. */
export interface JobRecord {
  readonly definition: Job;
  readonly decidedUntil: number;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** An agent as it last registered. */
export interface AgentRecord {
  readonly id: string;
  readonly incarnation: string;
  /** Names the journal on the agent's disk; null when it has none that it could vouch for. */
  readonly journal: string | null;
  readonly version: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly slots: number;
  readonly draining: boolean;
  /** Until then what runs on it may go on; null: as long as it likes. */
  readonly drainUntil: number | null;
  readonly lost: boolean;
  readonly lastSeenAt: number;
}

/** A piece of an attempt's output. */
export interface LogChunk {
  readonly run: string;
  readonly attempt: number;
  readonly start: number;
  readonly data: Buffer;
}

/** Bytes of an attempt's output, stored already, that are to be hidden. */
export interface Masking {
  readonly run: string;
  readonly attempt: number;
  readonly from: number;
  readonly to: number;
}

/** Something that happened, to be recorded. */
export interface NewEvent {
  readonly at: number;
  readonly kind: EventKind;
  readonly subject: string | null;
  readonly message: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

export interface EventRecord extends NewEvent {
  readonly seq: bigint;
  readonly term: Term;
}

export type EventKind =
  | 'tenure-begun'
  | 'tenure-ended'
  | 'agent-connected'
  | 'agent-disconnected'
  | 'agent-lost'
  | 'agent-draining'
  | 'agent-resumed'
  | 'agent-drained'
  | 'agent-removed'
  | 'job-applied'
  | 'job-deleted'
  | 'run-ended'
  | 'run-lost'
  | 'run-skipped'
  | 'run-late'
  | 'run-cancel-asked'
  | 'schedule-cut'
  | 'late-report'
  | 'output-cut'
  | 'hook-applied'
  | 'hook-deleted'
  | 'hook-given-up'
  | 'key-changed';
