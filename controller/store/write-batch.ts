import { formatTerm, type Term } from '@understudy/shared/kernel/term';
import type { RunRecord } from '../dispatch/run.ts';
import type { Batch } from './changes.ts';
import { type Column, columnSql, columnValues, toJson } from './columns.ts';
import type { AgentRecord, EventRecord, NewEvent } from './records.ts';
import type { Row } from './rows.ts';
import {
  findExistingRuns,
  insertChunks,
  insertRuns,
  updateRuns,
  writeAttempts,
} from './run-rows.ts';
import { writeSecurity } from './security-changes.ts';
import { writeHooks } from './write-hooks.ts';

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
 * Writes a batch, one statement a table, all of them sent before the first is answered. Whatever is written
 * can be written again: after a COMMIT whose answer was lost the same batch comes once more.
 */
export async function writeBatch(batch: Batch, owner: Owner, execute: Execute): Promise<Written> {
  const { newRuns, security, id } = batch;
  const others: Promise<unknown>[] = writeSubjects(batch, owner).map(execute);
  // These come after what they speak of, and before what speaks of them.
  const made = makeRuns([...newRuns.values()], owner, execute);
  others.push(
    ...[
      ...writeProgress(batch, owner),
      ...writeSecurity({ batch: security, id, owner }),
      ...writeHooks(batch, owner),
    ].map(execute),
  );
  const told = writeEvents(batch, owner, execute);
  const [existing, events] = await Promise.all([made, told, ...others]);
  return { existing, events };
}

/** Jobs and agents, which runs speak of. */
function writeSubjects({ jobs, agents }: Batch, { pair, term }: Owner): Statement[] {
  const write = (name: string, text: string, rows: readonly object[]): Statement[] =>
    rows.length === 0 ? [] : [{ name, text, values: [pair, formatTerm(term), toJson(rows)] }];
  const present = [...agents.values()].filter((agent) => agent !== null);
  const gone = [...agents].filter(([, agent]) => agent === null).map(([id]) => id);
  return [
    ...write('jobs', WRITE_JOBS, [...jobs].map(jobRow)),
    ...write('agents', WRITE_AGENTS, present.map(agentRow)),
    ...(gone.length === 0 ? [] : [{ name: 'gone', text: DELETE_AGENTS, values: [pair, gone] }]),
  ];
}

/** How far runs have come, and what they put out. */
function writeProgress({ runs, attempts, chunks }: Batch, owner: Owner): Statement[] {
  const { pair } = owner;
  const term = formatTerm(owner.term);
  return [
    ...(runs.size === 0 ? [] : [updateRuns([...runs.values()], pair, term)]),
    ...(attempts.size === 0 ? [] : [writeAttempts([...attempts.values()], pair, term)]),
    ...(chunks.length === 0 ? [] : [insertChunks(chunks, pair, term)]),
  ];
}

/** Gives which of the new runs were there before: their instant or their key is taken. */
async function makeRuns(
  offered: readonly RunRecord[],
  { pair, term }: Owner,
  execute: Execute,
): Promise<Map<string, string>> {
  if (offered.length === 0) return new Map();
  const [answer] = await execute(insertRuns(offered, pair, formatTerm(term)));
  if (answer?.['made'] === offered.length) return new Map();
  const rows = await execute(findExistingRuns(offered, pair));
  return new Map(
    rows
      .filter((row) => row['offered'] !== row['id'])
      .map((row) => [String(row['offered']), String(row['id'])]),
  );
}

/** Of a batch that comes again the events are there already: they keep their numbers. */
async function writeEvents(batch: Batch, owner: Owner, execute: Execute): Promise<EventRecord[]> {
  if (batch.events.length === 0) return [];
  const { pair } = owner;
  const rows = batch.events.map((event, place) => ({ ...event, place }));
  const values = [pair, formatTerm(owner.term), batch.id, ...columnValues(eventColumns, rows)];
  const [numbered] = await execute({ name: 'events', text: INSERT_EVENTS, values });
  const first = BigInt(String(numbered?.['first'] ?? 0));
  const isInOneRow =
    numbered?.['count'] === rows.length && BigInt(String(numbered['span'])) === BigInt(rows.length);
  const seqOf = isInOneRow
    ? (place: number) => first + BigInt(place)
    : seqsFrom(
        await execute({ name: 'events-again', text: FIND_EVENTS, values: [pair, batch.id] }),
      );
  return batch.events.map((event, place) => {
    return { ...event, term: owner.term, seq: seqOf(place) };
  });
}

function seqsFrom(rows: readonly Row[]): (place: number) => bigint {
  const seqs = new Map(rows.map((row) => [row['place'], BigInt(String(row['seq']))]));
  return (place) => seqs.get(place) ?? 0n;
}

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
    drain_until = excluded.drain_until, lost = excluded.lost, last_seen_at = excluded.last_seen_at, term = excluded.term`;

const eventColumns: readonly Column<NewEvent & { readonly place: number }>[] = [
  { name: 'place', type: 'integer', of: ({ place }) => place },
  { name: 'at', type: 'timestamptz', of: ({ at }) => at },
  { name: 'kind', type: 'text', of: ({ kind }) => kind },
  { name: 'subject', type: 'text', of: ({ subject }) => subject },
  { name: 'message', type: 'text', of: ({ message }) => message },
  { name: 'facts', type: 'jsonb', of: ({ facts }) => facts },
];

const happened = columnSql(eventColumns, 4);
// They are numbered in their order, and nearly always nobody else's number falls between.
const INSERT_EVENTS = `with made as (
    insert into event (pair, term, batch, ${happened.names})
    select $1, $2::bigint, $3::uuid, ${happened.values} from ${happened.from}
    order by new.place on conflict do nothing returning seq)
  select count(*)::integer as count, min(seq)::text as first, (max(seq) - min(seq) + 1)::text as span
  from made`;

const FIND_EVENTS = 'select place, seq from event where pair = $1 and batch = $2::uuid';

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
