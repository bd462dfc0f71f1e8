import { idAt } from './ids.ts';
import type { Reader } from './reader.ts';
import type { Row } from './rows.ts';

type Select = Pick<Reader, 'select'>;

/** The jobs that have runs, those included that were deleted. Looks at one run of each. */
export async function jobsWithRuns(reader: Select, pair: string): Promise<string[]> {
  const rows = await reader.select(
    `with recursive named as (
       (select job from run where pair = $1 order by job limit 1)
       union all
       select (select run.job from run where run.pair = $1 and run.job > named.job order by run.job limit 1)
       from named where named.job is not null)
     select job from named where job is not null`,
    [pair],
  );
  return rows.map((row) => String(row['job']));
}

/** The instant of the store: what is old is old by its clock, whatever a host shows. */
export async function storeNow(reader: Select): Promise<number> {
  const [row] = await reader.select(
    'select extract(epoch from clock_timestamp())::float8 * 1000 as now',
    [],
  );
  return Number(row?.['now']);
}

/** The newest run of a job that is one too many, when so many are kept; null: there are not that many. */
export async function firstBeyond(
  reader: Select,
  pair: string,
  job: string,
  count: number,
): Promise<string | null> {
  const [row] = await reader.select(
    'select id from run where pair = $1 and job = $2 order by id desc offset $3 limit 1',
    [pair, job, count],
  );
  return row === undefined ? null : String(row['id']);
}

export interface OldRunsOptions {
  readonly pair: string;
  readonly job: string;
  /** Those that ended before this instant are old; null: age does not count. */
  readonly endedBefore: number | null;
  /** This one, and those before it, are too many; null: their number does not count. */
  readonly beyond: string | null;
  /** Newer than this one: where the last look ended. */
  readonly after: string;
  readonly limit: number;
}

export interface OldRun {
  readonly id: string;
  readonly logBytes: number;
}

/** Runs that are over and need not be kept, oldest first, with the length of what they wrote. */
export async function oldRuns(reader: Select, options: OldRunsOptions): Promise<OldRun[]> {
  const { pair, job, endedBefore, beyond, after, limit } = options;
  const ends = [endedBefore === null ? '' : idAt(endedBefore), beyond ?? ''];
  const before = ends.reduce((a, b) => (a > b ? a : b));
  if (before === '') return [];
  const rows = await reader.select(
    `select id, (select coalesce(sum(log_bytes), 0)::float8 from attempt where run = old.id) as "logBytes"
     from (select id from run where pair = $1 and job = $2 and id > $3 and id <= $4
         and finished_at is not null and (finished_at < $5::timestamptz or id <= $6::uuid)
       order by id limit ${limit}) old
     order by id`,
    [pair, job, after, before, endedBefore === null ? null : instant(endedBefore), beyond],
  );
  return rows.map((row) => ({ id: String(row['id']), logBytes: Number(row['logBytes']) }));
}

/** Of what is numbered in its order. */
export interface OldEntries {
  readonly seqs: readonly string[];
  /** Where the next look goes on; null: what follows is not old. */
  readonly last: string | null;
}

export interface OldEntriesOptions {
  readonly pair: string;
  readonly before: number;
  /** The number of the last that was looked at. */
  readonly after: string;
  readonly limit: number;
}

/**
 * Events that happened before an instant, oldest first, after one that was looked at. The last that tells
 * of a tenure stays: the next active asks for it.
 */
export async function oldEvents(
  reader: Select,
  { pair, before, after, limit }: OldEntriesOptions,
): Promise<OldEntries> {
  const rows = await reader.select(
    `select event.seq::text as seq, at < $3::timestamptz as old, event.seq = (
         select max(last.seq) from event last
         where last.pair = $1 and last.kind in ('tenure-begun', 'tenure-ended')) as needed
     from event where pair = $1 and event.seq > $2 order by event.seq limit ${limit}`,
    [pair, after, instant(before)],
  );
  return oldOf(rows);
}

/** Entries of the audit trail that were made before an instant, oldest first, after one that was looked at. */
export async function oldAudits(
  reader: Select,
  { pair, before, after, limit }: OldEntriesOptions,
): Promise<OldEntries> {
  const rows = await reader.select(
    `select audit.seq::text as seq, at < $3::timestamptz as old, false as needed
     from audit where pair = $1 and audit.seq > $2 order by audit.seq limit ${limit}`,
    [pair, after, instant(before)],
  );
  return oldOf(rows);
}

function oldOf(rows: readonly Row[]): OldEntries {
  const end = rows.findIndex((row) => row['old'] !== true);
  const old = end < 0 ? rows : rows.slice(0, end);
  const seqOf = (row: Row) => String(row['seq']);
  const last = old.at(-1);
  return {
    seqs: old.filter((row) => row['needed'] !== true).map(seqOf),
    last: last === undefined ? null : seqOf(last),
  };
}

/** The ids of hooks that there are deliveries of, those included that were deleted. */
export async function hooksWithDeliveries(reader: Select): Promise<string[]> {
  const rows = await reader.select(
    `with recursive named as (
       (select hook from hook_delivery order by hook limit 1)
       union all
       select (select told.hook from hook_delivery told where told.hook > named.hook order by told.hook limit 1)
       from named where named.hook is not null)
     select hook from named where hook is not null`,
    [],
  );
  return rows.map((row) => String(row['hook']));
}

export interface OldDeliveriesOptions {
  readonly hook: string;
  /** Those that were made before this instant and are over; null: all, because the hook is gone. */
  readonly before: number | null;
  readonly limit: number;
}

export async function oldDeliveries(
  reader: Select,
  { hook, before, limit }: OldDeliveriesOptions,
): Promise<string[]> {
  const isOld = before === null ? '' : "and id < $2::uuid and state <> 'pending'";
  const rows = await reader.select(
    `select id from hook_delivery where hook = $1 ${isOld} order by id limit ${limit}`,
    before === null ? [hook] : [hook, idAt(before)],
  );
  return rows.map((row) => String(row['id']));
}

function instant(ms: number): string {
  return new Date(ms).toISOString();
}
