import { existsSync, readFileSync } from 'node:fs';
import { eventually } from '../../support/cluster/eventually.ts';
import type { Cluster } from '../../support/cluster.ts';
import { parseStartLines, type StartLine } from '../../support/invariants/work.ts';
import { type AttemptFact, attemptKey, type ChunkFact, type RunFact } from './history.ts';

/** A storm leaves many runs behind, and at-least-once runs of a killed agent start anew. */
const OVER_WITHIN_MS = 180_000;
const CHUNKS_AT_ONCE = 20_000;

/** Waits until no run is open, and gives all that the database has of them. */
export async function collectRuns(
  cluster: Cluster,
): Promise<{ runs: RunFact[]; attempts: AttemptFact[]; chunks: ChunkFact[] }> {
  await eventually(
    async () => {
      const open = await cluster.query('select from understudy.run where finished_at is null');
      return open.length === 0 ? true : null;
    },
    { what: 'all runs to be over', withinMs: OVER_WITHIN_MS, everyMs: 500 },
  );
  const runs = await cluster.query<RunFact>(
    `select id, job, state, reason, agent, idempotency_key as key, parameters->>'TICKET' as ticket,
       coalesce(ends, 0)::integer as ends
     from understudy.run left join (
       select subject, count(*) as ends from understudy.event
       where kind in ('run-ended', 'run-lost', 'run-skipped') group by subject
     ) told on told.subject = run.id::text`,
  );
  const attempts = await cluster.query<AttemptFact>(
    `select run, number, state, reason, agent, log_bytes::float as "logBytes"
     from understudy.attempt order by run, number`,
  );
  return { runs, attempts, chunks: await collectChunks(cluster) };
}

async function collectChunks(cluster: Cluster): Promise<ChunkFact[]> {
  const all: ChunkFact[] = [];
  for (let last: ChunkFact | undefined; ; ) {
    const { run, attempt, start } = last ?? { run: FIRST_ID, attempt: 0, start: 0 };
    const some = await cluster.query<ChunkFact>(
      `select run, attempt, start::float as start, data from understudy.run_log
       where (run, attempt, start) > ($1::uuid, $2::integer, $3::bigint)
       order by run, attempt, start limit ${CHUNKS_AT_ONCE}`,
      [run, attempt, start],
    );
    for (const chunk of some) all.push(chunk);
    last = some.at(-1);
    if (last === undefined) return all;
  }
}

const FIRST_ID = '00000000-0000-0000-0000-000000000000';

/** What the runs themselves have told. */
export function collectStarts(path: string): StartLine[] {
  return parseStartLines(textOf(path));
}

/** The last line that each attempt has written, by `run attempt`. */
export function collectWritten(path: string): Map<string, number> {
  const written = new Map<string, number>();
  for (const line of textOf(path).split('\n')) {
    const [run = '', attempt, number] = line.split(' ');
    if (number !== undefined) written.set(attemptKey(run, Number(attempt)), Number(number));
  }
  return written;
}

function textOf(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}
