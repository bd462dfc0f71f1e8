import { type Job, jobSchema } from '@understudy/shared/protocol/api';
import { eventId, type PairEvent } from '@understudy/shared/protocol/events';
import { DAY_MS } from '@understudy/shared/protocol/forms';
import type { AttemptRecord, RunRecord, RunSpec } from '../dispatch/run.ts';
import type { AgentRecord, EventKind, EventRecord, JobRecord } from './records.ts';

/**
 * How records lie in tables. Instants are selected as milliseconds, because a JavaScript date and
 * PostgreSQL's microseconds differ; bigints are selected as text.
 */
export const ms = (column: string, name: string) =>
  `round(extract(epoch from ${column}) * 1000)::float8 as "${name}"`;

export const runColumns = `id, job, state, ${ms('scheduled_for', 'scheduledFor')},
  ${ms('created_at', 'createdAt')}, ${ms('started_at', 'startedAt')}, ${ms('finished_at', 'finishedAt')},
  exit_code as "exitCode", reason, agent, parameters, spec, idempotency_key as "idempotencyKey",
  retry_of as "retryOf", target, batch, ordered_by as "orderedBy", ${ms('late_at', 'lateAt')}, ${ms('not_before', 'notBefore')}, cancel_reason as "cancelReason",
  term::text as term`;

export const attemptColumns = `run, number, agent, ordered_term::text as "orderedTerm", state,
  ${ms('ordered_at', 'orderedAt')}, ${ms('started_at', 'startedAt')}, ${ms('finished_at', 'finishedAt')},
  exit_code as "exitCode", signal, reason, log_bytes::text as "logBytes"`;

export const jobColumns = `definition, ${ms('decided_until', 'decidedUntil')},
  ${ms('created_at', 'createdAt')}, ${ms('updated_at', 'updatedAt')}`;

export const agentColumns = `id, incarnation, journal, version, labels, slots, draining,
  ${ms('drain_until', 'drainUntil')}, lost,
  ${ms('last_seen_at', 'lastSeenAt')}`;

export const eventColumns = `seq::text as seq, ${ms('at', 'at')}, term::text as term, kind, subject,
  message, facts`;

/** Of `pair_event`, which the heartbeats write. */
export const pairEventColumns = `node, incarnation, seq::float8 as seq, ${ms('pair_event.at', 'atMs')},
  term::text as term, kind, message, rule, evidence, facts`;

/** A row as the driver gives it. */
export type Row = Record<string, unknown>;

export function runsFrom(runs: readonly Row[], attempts: readonly Row[]): RunRecord[] {
  const byRun = new Map<unknown, Row[]>();
  for (const row of attempts) {
    const known = byRun.get(row['run']);
    if (known === undefined) byRun.set(row['run'], [row]);
    else known.push(row);
  }
  return runs.map((row) => runFrom(row, (byRun.get(row['id']) ?? []).map(attemptFrom)));
}

export function jobFrom(row: Row): JobRecord {
  const { definition, ...rest } = row as Row & { definition: unknown };
  const parsed: Job = jobSchema.parse(definition);
  return { ...(rest as Omit<JobRecord, 'definition'>), definition: parsed };
}

export function agentFrom(row: Row): AgentRecord {
  return row as Row & AgentRecord;
}

export function eventFrom(row: Row): EventRecord {
  return {
    ...(row as Row & Omit<EventRecord, 'seq' | 'term' | 'kind'>),
    kind: row['kind'] as EventKind,
    seq: BigInt(String(row['seq'])),
    term: BigInt(String(row['term'])),
  };
}

export function pairEventFrom(row: Row): PairEvent {
  const { atMs, ...rest } = row as Row & Omit<PairEvent, 'at' | 'id'> & { readonly atMs: number };
  const { node, seq } = rest;
  return { ...rest, id: eventId({ atMs, node, seq }), at: new Date(atMs).toISOString() };
}

function runFrom(row: Row, attempts: readonly AttemptRecord[]): RunRecord {
  return {
    ...(row as Row & Omit<RunRecord, 'attempts' | 'term' | 'spec'>),
    spec: specFrom(row['spec'] as StoredSpec),
    term: BigInt(String(row['term'])),
    attempts: attempts.toSorted((a, b) => a.number - b.number),
  };
}

/** As it may have been written by a version that knew less. */
type StoredSpec = Partial<Omit<RunSpec, 'retries'>> &
  Omit<RunSpec, 'onAgentLost' | 'limit' | 'lateMs' | 'retries'> & {
    readonly retries: Partial<RunSpec['retries']> & Pick<RunSpec['retries'], 'limit'>;
    readonly serial?: boolean;
  };

const oldestRetries = { delayMs: 1_000, backoff: 1, maxDelayMs: DAY_MS, exitCodes: null };

function specFrom({ serial = false, ...spec }: StoredSpec): RunSpec {
  const { limit = serial ? 1 : null, onAgentLost = 'retry', lateMs = null } = spec;
  const retries = { ...oldestRetries, ...spec.retries };
  return { ...spec, limit, onAgentLost, lateMs, retries };
}

function attemptFrom(row: Row): AttemptRecord {
  const { run: _, ...rest } = row;
  return {
    ...(rest as Row & Omit<AttemptRecord, 'orderedTerm' | 'logBytes'>),
    orderedTerm: BigInt(String(row['orderedTerm'])),
    logBytes: Number(row['logBytes']),
  };
}
