import { formatTerm, type Term } from '@understudy/shared/kernel/term';
import type { AttemptRecord, RunRecord } from '../dispatch/run.ts';
import type { Batch } from './changes.ts';
import type { AgentRecord, EventRecord } from './records.ts';
import type { Row } from './rows.ts';

export interface Statement {
  readonly name: string;
  readonly text: string;
  readonly values: readonly unknown[];
}

export type Execute = (statement: Statement) => Promise<Row[]>;

/** What the database made of a batch. */
export interface Written {
  /** New runs that exist already under another id: by the id that was offered. */
  readonly existing: ReadonlyMap<string, string>;
  readonly events: readonly EventRecord[];
}

export interface Owner {
  readonly pair: string;
  readonly term: Term;
}

/**
 * Writes a batch, one statement a table. Whatever is written can be written again: after a COMMIT whose
 * answer was lost the same batch comes once more.
 */
export async function writeBatch(batch: Batch, owner: Owner, execute: Execute): Promise<Written> {
  const { pair } = owner;
  const term = formatTerm(owner.term);
  const write = (name: string, text: string, rows: readonly object[]) =>
    rows.length === 0
      ? Promise.resolve([])
      : execute({ name, text, values: [pair, term, toJson(rows)] });

  await write('jobs', WRITE_JOBS, [...batch.jobs].map(jobRow));
  await writeAgents(batch, pair, write, execute);
  const inserted = await write('new-runs', INSERT_RUNS, batch.newRuns.map(runRow));
  const existing = await findExisting(batch.newRuns, inserted, pair, execute);
  await write('runs', UPDATE_RUNS, [...batch.runs.values()].map(runRow));
  await write('attempts', WRITE_ATTEMPTS, [...batch.attempts.values()].map(attemptRow));
  if (batch.chunks.length > 0) await execute(insertChunks(batch, pair, term));
  return { existing, events: await writeEvents(batch, owner, execute) };
}

async function writeAgents(
  { agents }: Batch,
  pair: string,
  write: (name: string, text: string, rows: readonly object[]) => Promise<Row[]>,
  execute: Execute,
): Promise<void> {
  const there = [...agents.values()].filter((agent) => agent !== null);
  await write('agents', WRITE_AGENTS, there.map(agentRow));
  const gone = [...agents].filter(([, agent]) => agent === null).map(([id]) => id);
  if (gone.length === 0) return;
  await execute({ name: 'gone-agents', text: DELETE_AGENTS, values: [pair, gone] });
}

/** Of a batch that comes again the events are there already: they keep their numbers. */
async function writeEvents(batch: Batch, owner: Owner, execute: Execute): Promise<EventRecord[]> {
  if (batch.events.length === 0) return [];
  const { pair } = owner;
  const rows = batch.events.map((event, place) => ({ ...event, place, at: instant(event.at) }));
  const values = [pair, formatTerm(owner.term), toJson(rows), batch.id];
  const inserted = await execute({ name: 'events', text: INSERT_EVENTS, values });
  const written =
    inserted.length === batch.events.length
      ? inserted
      : await execute({ name: 'events-again', text: FIND_EVENTS, values: [pair, batch.id] });
  const seqs = new Map(written.map((row) => [row['place'], BigInt(String(row['seq']))]));
  return batch.events.map((event, place) => {
    return { ...event, term: owner.term, seq: seqs.get(place) ?? 0n };
  });
}

/** Which of the new runs were there before: their instant or their key is taken. */
async function findExisting(
  offered: readonly RunRecord[],
  inserted: readonly Row[],
  pair: string,
  execute: Execute,
): Promise<Map<string, string>> {
  if (inserted.length === offered.length) return new Map();
  const done = new Set(inserted.map((row) => row['id']));
  const left = offered.filter((run) => !done.has(run.id)).map(runRow);
  const rows = await execute({
    name: 'existing-runs',
    text: FIND_EXISTING,
    values: [pair, toJson(left)],
  });
  return new Map(
    rows
      .filter((row) => row['offered'] !== row['id'])
      .map((row) => [String(row['offered']), String(row['id'])]),
  );
}

const RUN_FIELDS = `id uuid, job text, state text, scheduled_for timestamptz, created_at timestamptz,
  started_at timestamptz, finished_at timestamptz, exit_code integer, reason text, agent text,
  parameters jsonb, spec jsonb, idempotency_key text, retry_of uuid, not_before timestamptz,
  cancel_reason text, target text, batch uuid, ordered_by text, late_at timestamptz`;
const RUN_NAMES = RUN_FIELDS.replaceAll(/ (uuid|text|timestamptz|integer|jsonb)/g, '');

const INSERT_RUNS = `insert into run (pair, term, ${RUN_NAMES})
  select $1, $2::bigint, ${RUN_NAMES} from jsonb_to_recordset($3::jsonb) as new (${RUN_FIELDS})
  on conflict do nothing returning id`;

const FIND_EXISTING = `select new.id as offered, run.id
  from jsonb_to_recordset($2::jsonb) as new (id uuid, job text, idempotency_key text, scheduled_for timestamptz, target text)
  join run on run.pair = $1 and (run.id = new.id
    or (run.job = new.job and coalesce(run.target, '') = coalesce(new.target, '')
      and (run.idempotency_key = new.idempotency_key or run.scheduled_for = new.scheduled_for)))
  order by (run.id = new.id)`;

// A run that is finished never changes again, whatever is written late.
const UPDATE_RUNS = `update run set state = new.state, started_at = new.started_at,
    finished_at = new.finished_at, exit_code = new.exit_code, reason = new.reason, agent = new.agent,
    not_before = new.not_before, cancel_reason = new.cancel_reason, late_at = new.late_at, term = $2::bigint
  from jsonb_to_recordset($3::jsonb) as new (${RUN_FIELDS})
  where run.id = new.id and run.pair = $1 and run.finished_at is null`;

const WRITE_ATTEMPTS = `insert into attempt (pair, term, run, number, agent, state, ordered_term,
    ordered_at, started_at, finished_at, exit_code, signal, reason, log_bytes)
  select $1, $2::bigint, run, number, agent, state, ordered_term,
    ordered_at, started_at, finished_at, exit_code, signal, reason, log_bytes
  from jsonb_to_recordset($3::jsonb) as new (run uuid, number integer, agent text, state text,
    ordered_term bigint, ordered_at timestamptz, started_at timestamptz, finished_at timestamptz,
    exit_code integer, signal text, reason text, log_bytes bigint)
  on conflict (run, number) do update set state = excluded.state, started_at = excluded.started_at,
    finished_at = excluded.finished_at, exit_code = excluded.exit_code, signal = excluded.signal,
    reason = excluded.reason, log_bytes = excluded.log_bytes, term = excluded.term
  where attempt.finished_at is null`;

const WRITE_JOBS = `with new as (
    select * from jsonb_to_recordset($3::jsonb) as new (name text, definition jsonb,
      decided_until timestamptz, created_at timestamptz, updated_at timestamptz)
  ), gone as (
    delete from job using new where job.pair = $1 and job.name = new.name and new.definition is null
  )
  insert into job (pair, term, name, definition, decided_until, created_at, updated_at)
  select $1, $2::bigint, name, definition, decided_until, created_at, updated_at
  from new where definition is not null
  on conflict (pair, name) do update set definition = excluded.definition, term = excluded.term,
    decided_until = excluded.decided_until, created_at = excluded.created_at,
    updated_at = excluded.updated_at`;

const DELETE_AGENTS = 'delete from agent where pair = $1 and id = any($2::text[])';

const WRITE_AGENTS = `insert into agent (pair, term, id, incarnation, journal, version, labels, slots,
    draining, drain_until, lost, last_seen_at)
  select $1, $2::bigint, id, incarnation, journal, version, labels, slots, draining, drain_until, lost,
    last_seen_at
  from jsonb_to_recordset($3::jsonb) as new (id text, incarnation uuid, journal uuid, version text, labels jsonb,
    slots integer, draining boolean, drain_until timestamptz, lost boolean, last_seen_at timestamptz)
  on conflict (pair, id) do update set incarnation = excluded.incarnation, journal = excluded.journal,
    version = excluded.version, labels = excluded.labels, slots = excluded.slots, draining = excluded.draining,
    drain_until = excluded.drain_until,
    lost = excluded.lost, last_seen_at = excluded.last_seen_at, term = excluded.term`;

const INSERT_EVENTS = `insert into event (pair, term, batch, place, at, kind, subject, message, facts)
  select $1, $2::bigint, $4::uuid, place, at, kind, subject, message, facts
  from jsonb_to_recordset($3::jsonb) as new
    (place integer, at timestamptz, kind text, subject text, message text, facts jsonb)
  order by place on conflict do nothing returning place, seq`;

const FIND_EVENTS = 'select place, seq from event where pair = $1 and batch = $2::uuid';

const INSERT_CHUNKS = `insert into run_log (pair, term, run, attempt, start, data)
  select $1, $2::bigint, run, attempt, start, data
  from unnest($3::uuid[], $4::integer[], $5::bigint[], $6::bytea[]) as new (run, attempt, start, data)
  on conflict do nothing`;

function insertChunks({ chunks }: Batch, pair: string, term: string): Statement {
  const values = [
    pair,
    term,
    chunks.map(({ run }) => run),
    chunks.map(({ attempt }) => attempt),
    chunks.map(({ start }) => start),
    chunks.map(({ data }) => data),
  ];
  return { name: 'chunks', text: INSERT_CHUNKS, values };
}

function runRow(run: RunRecord): object {
  return {
    id: run.id,
    job: run.job,
    state: run.state,
    scheduled_for: instant(run.scheduledFor),
    created_at: instant(run.createdAt),
    started_at: instant(run.startedAt),
    finished_at: instant(run.finishedAt),
    exit_code: run.exitCode,
    reason: run.reason,
    agent: run.agent,
    parameters: run.parameters,
    spec: run.spec,
    idempotency_key: run.idempotencyKey,
    retry_of: run.retryOf,
    not_before: instant(run.notBefore),
    cancel_reason: run.cancelReason,
    target: run.target,
    batch: run.batch,
    ordered_by: run.orderedBy,
    late_at: instant(run.lateAt),
  };
}

function attemptRow(entry: { readonly run: string; readonly attempt: AttemptRecord }): object {
  const { attempt } = entry;
  return {
    run: entry.run,
    number: attempt.number,
    agent: attempt.agent,
    state: attempt.state,
    ordered_term: formatTerm(attempt.orderedTerm),
    ordered_at: instant(attempt.orderedAt),
    started_at: instant(attempt.startedAt),
    finished_at: instant(attempt.finishedAt),
    exit_code: attempt.exitCode,
    signal: attempt.signal,
    reason: attempt.reason,
    log_bytes: attempt.logBytes,
  };
}

type JobEntry = Batch['jobs'] extends Map<infer Name, infer Value> ? [Name, Value] : never;

function jobRow([name, job]: JobEntry): object {
  if (job === null) return { name };
  return {
    name,
    definition: job.definition,
    decided_until: instant(job.decidedUntil),
    created_at: instant(job.createdAt),
    updated_at: instant(job.updatedAt),
  };
}

function agentRow({ lastSeenAt, drainUntil, ...rest }: AgentRecord): object {
  return { ...rest, drain_until: instant(drainUntil), last_seen_at: instant(lastSeenAt) };
}

function instant(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

/** As JSON that PostgreSQL takes: it has no NUL in texts, and no half of a surrogate pair. */
function toJson(rows: readonly object[]): string {
  return JSON.stringify(rows, (_key, value: unknown) =>
    typeof value === 'string' ? value.replaceAll(/[\0\p{Surrogate}]/gu, '\ufffd') : value,
  );
}
