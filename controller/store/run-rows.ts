import { formatTerm } from '@understudy/shared/kernel/term';
import type { AttemptRecord, RunRecord, RunSpec } from '../dispatch/run.ts';
import { type Column, columnSql, columnValues, toJson } from './columns.ts';
import type { LogChunk } from './records.ts';
import type { Statement } from './write-batch.ts';

/** Pair and term are the first two parameters of each of these statements. */
const FIRST = 3;

const runColumns: readonly Column<RunRecord>[] = [
  { name: 'id', type: 'uuid', of: (run) => run.id },
  { name: 'job', type: 'text', of: (run) => run.job },
  { name: 'state', type: 'text', of: (run) => run.state },
  { name: 'scheduled_for', type: 'timestamptz', of: (run) => run.scheduledFor },
  { name: 'created_at', type: 'timestamptz', of: (run) => run.createdAt },
  { name: 'started_at', type: 'timestamptz', of: (run) => run.startedAt },
  { name: 'finished_at', type: 'timestamptz', of: (run) => run.finishedAt },
  { name: 'exit_code', type: 'integer', of: (run) => run.exitCode },
  { name: 'reason', type: 'text', of: (run) => run.reason },
  { name: 'agent', type: 'text', of: (run) => run.agent },
  { name: 'parameters', type: 'jsonb', of: (run) => run.parameters },
  { name: 'spec', type: 'shared jsonb', of: (run) => specText(run.spec) },
  { name: 'idempotency_key', type: 'text', of: (run) => run.idempotencyKey },
  { name: 'retry_of', type: 'uuid', of: (run) => run.retryOf },
  { name: 'not_before', type: 'timestamptz', of: (run) => run.notBefore },
  { name: 'cancel_reason', type: 'text', of: (run) => run.cancelReason },
  { name: 'target', type: 'text', of: (run) => run.target },
  { name: 'batch', type: 'uuid', of: (run) => run.batch },
  { name: 'ordered_by', type: 'text', of: (run) => run.orderedBy },
  { name: 'late_at', type: 'timestamptz', of: (run) => run.lateAt },
];

/** Of these a run that exists may change. */
const changing: readonly string[] = [
  'state',
  'started_at',
  'finished_at',
  'exit_code',
  'reason',
  'agent',
  'not_before',
  'cancel_reason',
  'late_at',
];

const changeColumns = runColumns.filter(({ name }) => ['id', ...changing].includes(name));

/** What makes a run exist once. */
const identityColumns = runColumns.filter(({ name }) =>
  ['id', 'job', 'idempotency_key', 'scheduled_for', 'target'].includes(name),
);

type AttemptEntry = { readonly run: string; readonly attempt: AttemptRecord };

const attemptColumns: readonly Column<AttemptEntry>[] = [
  { name: 'run', type: 'uuid', of: ({ run }) => run },
  { name: 'number', type: 'integer', of: ({ attempt }) => attempt.number },
  { name: 'agent', type: 'text', of: ({ attempt }) => attempt.agent },
  { name: 'state', type: 'text', of: ({ attempt }) => attempt.state },
  { name: 'ordered_term', type: 'bigint', of: ({ attempt }) => formatTerm(attempt.orderedTerm) },
  { name: 'ordered_at', type: 'timestamptz', of: ({ attempt }) => attempt.orderedAt },
  { name: 'started_at', type: 'timestamptz', of: ({ attempt }) => attempt.startedAt },
  { name: 'finished_at', type: 'timestamptz', of: ({ attempt }) => attempt.finishedAt },
  { name: 'exit_code', type: 'integer', of: ({ attempt }) => attempt.exitCode },
  { name: 'signal', type: 'text', of: ({ attempt }) => attempt.signal },
  { name: 'reason', type: 'text', of: ({ attempt }) => attempt.reason },
  { name: 'log_bytes', type: 'bigint', of: ({ attempt }) => attempt.logBytes },
];

const created = columnSql(runColumns, FIRST);
// How many there are now is counted, not listed: nearly always it is all of them.
const INSERT_RUNS = `with made as (
    insert into run (pair, term, ${created.names})
    select $1, $2::bigint, ${created.values} from ${created.from}
    on conflict do nothing returning 1)
  select count(*)::integer as made from made`;

const identity = columnSql(identityColumns, 2);
const FIND_EXISTING = `select new.id as offered, run.id from ${identity.from}
  join run on run.pair = $1 and (run.id = new.id
    or (run.job = new.job and coalesce(run.target, '') = coalesce(new.target, '')
      and (run.idempotency_key = new.idempotency_key
        or run.scheduled_for = to_timestamp(new.scheduled_for / 1000))))
  order by (run.id = new.id)`;

const changed = columnSql(changeColumns, FIRST);
// A run that is finished never changes again, whatever is written late. Each run is looked up by itself: in a
// join the database, whose plan is of a time when little was open, would read all that is open now for each batch.
const UPDATE_RUNS = `update run set term = $2::bigint, ${changed.assign(changing)}
  from (select new.*, (select open.ctid from run as open
      where open.pair = $1 and open.id = new.id and open.finished_at is null) as place
    from ${changed.from}) as new
  where run.ctid = new.place`;

const tried = columnSql(attemptColumns, FIRST);
// An attempt may be decided on before its run is made, and then the run may turn out to exist already.
const WRITE_ATTEMPTS = `insert into attempt (pair, term, ${tried.names})
  select $1, $2::bigint, ${tried.values} from ${tried.from}
  where exists (select from run where run.pair = $1 and run.id = new.run)
  on conflict (run, number) do update set state = excluded.state, started_at = excluded.started_at,
    finished_at = excluded.finished_at, exit_code = excluded.exit_code, signal = excluded.signal,
    reason = excluded.reason, log_bytes = excluded.log_bytes, term = excluded.term
  where attempt.finished_at is null`;

const INSERT_CHUNKS = `insert into run_log (pair, term, run, attempt, start, data)
  select $1, $2::bigint, run, attempt, start, data
  from unnest($3::uuid[], $4::integer[], $5::bigint[], $6::bytea[]) as new (run, attempt, start, data)
  on conflict do nothing`;

/** Makes runs; answers how many of them did not exist yet, as `made`. */
export function insertRuns(runs: readonly RunRecord[], pair: string, term: string): Statement {
  const values = [pair, term, ...columnValues(runColumns, runs)];
  return { name: 'new-runs', text: INSERT_RUNS, values };
}

/** Which runs there are under the ids, the instants or the keys of the `offered` ones. */
export function findExistingRuns(runs: readonly RunRecord[], pair: string): Statement {
  const values = [pair, ...columnValues(identityColumns, runs)];
  return { name: 'existing-runs', text: FIND_EXISTING, values };
}

export function updateRuns(runs: readonly RunRecord[], pair: string, term: string): Statement {
  const values = [pair, term, ...columnValues(changeColumns, runs)];
  return { name: 'runs', text: UPDATE_RUNS, values };
}

/** Writes attempts of runs that exist. */
export function writeAttempts(
  attempts: readonly AttemptEntry[],
  pair: string,
  term: string,
): Statement {
  const values = [pair, term, ...columnValues(attemptColumns, attempts)];
  return { name: 'attempts', text: WRITE_ATTEMPTS, values };
}

export function insertChunks(chunks: readonly LogChunk[], pair: string, term: string): Statement {
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

const specTexts = new WeakMap<RunSpec, string>();

/** A spec is a value, and the runs of a job share it. */
function specText(spec: RunSpec): string {
  const known = specTexts.get(spec);
  if (known !== undefined) return known;
  const text = toJson(spec);
  specTexts.set(spec, text);
  return text;
}
