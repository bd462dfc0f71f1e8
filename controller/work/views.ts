import { formatDurationMs } from '@understudy/shared/kernel/duration';
import { formatSizeBytes } from '@understudy/shared/kernel/size';
import { formatTerm } from '@understudy/shared/kernel/term';
import type {
  AgentView,
  Attempt,
  EventView,
  JobView,
  Run,
  RunBatch,
} from '@understudy/shared/protocol/api';
import type { Schedule, ScheduleView } from '@understudy/shared/protocol/schedule';
import type { Retention, RetentionView } from '@understudy/shared/protocol/stored-history';
import { causeOf } from '../dispatch/after.ts';
import { type AttemptRecord, logBytesOf, type RunRecord } from '../dispatch/run.ts';
import type { AgentRecord, EventRecord, JobRecord } from '../store/records.ts';

export function jobView({ definition }: JobRecord): JobView {
  const { timeoutMs, graceMs, catchUpWindowMs, lateMs, output, retries, retention, ...rest } =
    definition;
  const { schedule, ...job } = rest;
  const { delayMs, maxDelayMs, ...tries } = retries;
  const [delay, maxDelay] = [formatDurationMs(delayMs), formatDurationMs(maxDelayMs)];
  return {
    ...job,
    schedule: schedule === null ? null : scheduleView(schedule),
    catchUpWindow: duration(catchUpWindowMs),
    late: duration(lateMs),
    retries: { ...tries, delay, maxDelay },
    timeout: duration(timeoutMs),
    grace: formatDurationMs(graceMs),
    output: { limit: formatSizeBytes(output.limitBytes), onLimit: output.onLimit },
    retention: retention === null ? null : retentionView(retention),
  };
}

export function runView(run: RunRecord): Run {
  return {
    id: run.id,
    job: run.job,
    state: run.state,
    scheduledFor: instant(run.scheduledFor),
    createdAt: iso(run.createdAt),
    startedAt: instant(run.startedAt),
    finishedAt: instant(run.finishedAt),
    exitCode: run.exitCode,
    reason: run.reason,
    agent: run.agent,
    term: formatTerm(run.term),
    retryOf: run.retryOf,
    causedBy: causeOf(run.idempotencyKey),
    target: run.target,
    batch: run.batch,
    lateAt: instant(run.lateAt),
    parameters: run.parameters,
    attempts: run.attempts.map(attemptView),
    logBytes: logBytesOf(run),
  };
}

/** Runs that were made for one order. */
export function batchView(runs: readonly RunRecord[]): RunBatch {
  return { batch: runs[0]?.batch ?? null, items: runs.map(runView) };
}

export function agentView(record: AgentRecord, isConnected: boolean, running: number): AgentView {
  const { id, draining, drainUntil, labels, slots, version, lost, lastSeenAt } = record;
  const state = isConnected ? 'connected' : lost ? 'lost' : 'disconnected';
  const seen = isConnected ? Date.now() : lastSeenAt;
  return {
    ...{ id, state, draining, drainUntil: instant(drainUntil) },
    ...{ labels, slots, running, version, lastSeenAt: iso(seen) },
  };
}

export function eventView({
  seq,
  at,
  term,
  kind,
  subject,
  message,
  facts,
}: EventRecord): EventView {
  return {
    seq: seq.toString(),
    at: iso(at),
    term: formatTerm(term),
    kind,
    subject,
    message,
    facts,
  };
}

function attemptView(attempt: AttemptRecord): Attempt {
  return {
    number: attempt.number,
    agent: attempt.agent,
    term: formatTerm(attempt.orderedTerm),
    state: attempt.state,
    orderedAt: iso(attempt.orderedAt),
    startedAt: instant(attempt.startedAt),
    finishedAt: instant(attempt.finishedAt),
    exitCode: attempt.exitCode,
    signal: attempt.signal,
    reason: attempt.reason,
  };
}

function retentionView({ ageMs, count }: Retention): RetentionView {
  return {
    ...(ageMs === undefined ? {} : { age: ageMs === null ? null : formatDurationMs(ageMs) }),
    ...(count === undefined ? {} : { count }),
  };
}

function scheduleView(schedule: Schedule): ScheduleView {
  if (!('everyMs' in schedule)) return schedule;
  return { every: formatDurationMs(schedule.everyMs), anchor: schedule.anchor };
}

function duration(ms: number | null): string | null {
  return ms === null ? null : formatDurationMs(ms);
}

function instant(ms: number | null): string | null {
  return ms === null ? null : iso(ms);
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
