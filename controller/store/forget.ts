import type { Execute } from './write-batch.ts';

/** So many pieces of a long output are removed at once. */
const PIECES = 100;

/**
 * Removes runs with their attempts, their output and their events. Only what is over: a run that is open
 * stays, with all of it. Gives those that were removed.
 */
export async function forgetRuns(
  pair: string,
  ids: readonly string[],
  execute: Execute,
): Promise<string[]> {
  const rows = await execute({ name: 'forget-runs', text: FORGET_RUNS, values: [pair, ids] });
  const gone = rows.map((row) => String(row['id']));
  const others = [
    ['forget-output', 'delete from run_log where run = any($1::uuid[])'],
    ['forget-attempts', 'delete from attempt where run = any($1::uuid[])'],
    ['forget-what-happened', 'delete from event where subject = any($1::text[])'],
  ] as const;
  await Promise.all(others.map(([name, text]) => execute({ name, text, values: [gone] })));
  return gone;
}

const FORGET_RUNS = `delete from run
  where pair = $1 and id = any($2::uuid[]) and finished_at is not null returning id`;

/** Removes a part of the output of a run that is over; gives how many pieces that were. */
export async function forgetOutput(pair: string, run: string, execute: Execute): Promise<number> {
  const text = `with gone as (
      delete from run_log where ctid = any(array(
        select run_log.ctid from run_log join run on run.pair = $1 and run.id = run_log.run
        where run_log.run = $2 and run.finished_at is not null limit ${PIECES}))
      returning 1)
    select count(*)::integer as count from gone`;
  const [row] = await execute({ name: 'forget-pieces', text, values: [pair, run] });
  return Number(row?.['count'] ?? 0);
}

export async function forgetEvents(
  pair: string,
  seqs: readonly string[],
  execute: Execute,
): Promise<void> {
  const text = 'delete from event where pair = $1 and seq = any($2::bigint[])';
  await execute({ name: 'forget-events', text, values: [pair, seqs] });
}

export async function forgetAudits(
  pair: string,
  seqs: readonly string[],
  execute: Execute,
): Promise<void> {
  const text = 'delete from audit where pair = $1 and seq = any($2::bigint[])';
  await execute({ name: 'forget-audits', text, values: [pair, seqs] });
}

export async function forgetDeliveries(
  hook: string,
  ids: readonly string[],
  execute: Execute,
): Promise<void> {
  const text = 'delete from hook_delivery where hook = $1 and id = any($2::uuid[])';
  await execute({ name: 'forget-deliveries', text, values: [hook, ids] });
}
