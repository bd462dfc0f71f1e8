import type { AttemptRecord, RunRecord, RunSpec } from '../dispatch/run.ts';
import type { DeliveryOutcome, HookRecord, NewDelivery } from './hook-records.ts';
import type { AgentRecord, JobRecord, LogChunk, NewEvent } from './records.ts';
import {
  addSecurity,
  emptySecurity,
  type SecurityBatch,
  type SecurityChanges,
} from './security-changes.ts';

/** What one step of the controller changes. All of it is committed, or none. */
export interface Changes extends SecurityChanges {
  readonly newRuns?: readonly RunRecord[];
  /** Runs that changed, each with the last of its attempts. */
  readonly runs?: readonly RunRecord[];
  readonly chunks?: readonly LogChunk[];
  readonly jobs?: readonly JobRecord[];
  readonly deletedJobs?: readonly string[];
  readonly agents?: readonly AgentRecord[];
  readonly deletedAgents?: readonly string[];
  readonly events?: readonly NewEvent[];
  readonly hooks?: readonly HookRecord[];
  readonly deletedHooks?: readonly string[];
  /** What hooks are to be told of the events. */
  readonly deliveries?: readonly NewDelivery[];
  readonly outcomes?: readonly DeliveryOutcome[];
}

/** Many changes as one: of what changed more than once, the last counts. */
export interface Batch {
  /** By it the events of a batch are known that was committed, and came again because the answer was lost. */
  readonly id: string;
  /** Runs to be made, each as it is by now: what was decided on it meanwhile is written with it. */
  readonly newRuns: Map<string, RunRecord>;
  /** Other runs that changed. */
  readonly runs: Map<string, RunRecord>;
  readonly attempts: Map<string, { readonly run: string; readonly attempt: AttemptRecord }>;
  readonly chunks: LogChunk[];
  /** Null: deleted. */
  readonly jobs: Map<string, JobRecord | null>;
  /** Null: removed. */
  readonly agents: Map<string, AgentRecord | null>;
  readonly events: NewEvent[];
  readonly security: SecurityBatch;
  /** Null: deleted. */
  readonly hooks: Map<string, HookRecord | null>;
  readonly deliveries: NewDelivery[];
  readonly outcomes: DeliveryOutcome[];
}

/** So many bytes are as much work as one row. */
const BYTES_AS_A_ROW = 4_096;

export function mergeChanges(all: readonly Changes[], id: string): Batch {
  const batch: Batch = {
    id,
    newRuns: new Map(),
    runs: new Map(),
    attempts: new Map(),
    chunks: [],
    jobs: new Map(),
    agents: new Map(),
    events: [],
    security: emptySecurity(),
    hooks: new Map(),
    deliveries: [],
    outcomes: [],
  };
  for (const changes of all) addTo(batch, changes);
  return batch;
}

function addTo(batch: Batch, changes: Changes): void {
  for (const run of changes.newRuns ?? []) {
    batch.newRuns.set(run.id, run);
    addAttempt(batch, run);
  }
  for (const run of changes.runs ?? []) {
    (batch.newRuns.has(run.id) ? batch.newRuns : batch.runs).set(run.id, run);
    addAttempt(batch, run);
  }
  for (const chunk of changes.chunks ?? []) batch.chunks.push(chunk);
  for (const job of changes.jobs ?? []) batch.jobs.set(job.definition.name, job);
  for (const name of changes.deletedJobs ?? []) batch.jobs.set(name, null);
  for (const agent of changes.agents ?? []) batch.agents.set(agent.id, agent);
  for (const id of changes.deletedAgents ?? []) batch.agents.set(id, null);
  for (const event of changes.events ?? []) batch.events.push(event);
  addSecurity(batch.security, changes);
  for (const hook of changes.hooks ?? []) batch.hooks.set(hook.name, hook);
  for (const name of changes.deletedHooks ?? []) batch.hooks.set(name, null);
  batch.deliveries.push(...(changes.deliveries ?? []));
  batch.outcomes.push(...(changes.outcomes ?? []));
}

function addAttempt(batch: Batch, run: RunRecord): void {
  const attempt = run.attempts.at(-1);
  if (attempt !== undefined) {
    batch.attempts.set(`${run.id}.${attempt.number}`, { run: run.id, attempt });
  }
}

/** About how much work a change is for the database, to keep one transaction bounded in rows and in bytes. */
export function weightOf(changes: Changes): number {
  const { newRuns = [], runs = [], chunks = [], jobs = [], agents = [], events = [] } = changes;
  const { hooks = [], deliveries = [], outcomes = [] } = changes;
  const ofWork =
    newRuns.length + runs.length + chunks.length + jobs.length + agents.length + events.length;
  const rows = ofWork + hooks.length + deliveries.length + outcomes.length;
  let bytes = 0;
  for (const { data } of chunks) bytes += data.length;
  for (const { spec, parameters } of newRuns) bytes += sharedSizeOf(spec) + sizeOf(parameters);
  for (const { spec, parameters } of runs) bytes += sharedSizeOf(spec) + sizeOf(parameters);
  for (const { definition } of jobs) bytes += sizeOf(definition);
  return rows + bytes / BYTES_AS_A_ROW;
}

const sizes = new WeakMap<RunSpec, number>();

/** The runs of a job share what it says. */
function sharedSizeOf(spec: RunSpec): number {
  const known = sizes.get(spec);
  if (known !== undefined) return known;
  const size = sizeOf(spec);
  sizes.set(spec, size);
  return size;
}

/** About how long a value is as JSON, without making it. */
function sizeOf(value: unknown): number {
  if (typeof value === 'string') return value.length + 3;
  if (typeof value !== 'object' || value === null) return 5;
  let size = 2;
  for (const [name, each] of Object.entries(value)) size += name.length + 3 + sizeOf(each);
  return size;
}
