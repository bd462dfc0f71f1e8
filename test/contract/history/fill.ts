import type pg from 'pg';

export interface FillOptions {
  readonly pair: string;
  readonly runs: number;
  /** When the first of them was made, milliseconds since 1970. */
  readonly from: number;
  /** Between one and the next. */
  readonly everyMs: number;
  /** Bytes of output of each attempt, in one piece; 0: none. */
  readonly logBytes?: number;
}

/** The id of the run with this number, as the controller would have made it. */
const ID = `(lpad(to_hex(at), 12, '0') || '7' || lpad(to_hex(n % 4096), 3, '0') || '8'
  || lpad(to_hex(n), 15, '0'))::uuid`;

/**
 * Fills the tables with runs of 20 jobs on 5 agents: of each hundred 90 succeeded, the others ended in every
 * other way; the newest 50 are open. Every 7th has parameters, every 50th was tried on two agents.
 */
export async function fillRuns(client: pg.Client, options: FillOptions): Promise<void> {
  const { pair, runs, from, everyMs, logBytes = 0 } = options;
  await client.query(
    `create temporary table given on commit preserve rows as
     select n, at, ${ID} as id, 'job-' || n % 20 as job, 'w' || n % 5 as agent,
       case when n > ${runs} - 50 then (array['queued', 'dispatched', 'running'])[n % 3 + 1]
         else coalesce((array['failed', 'failed', 'failed', 'timed-out', 'cancelled', 'lost', 'skipped',
           'skipped', 'skipped', 'skipped'])[n * 37 % 100 + 1], 'succeeded') end as state
     from (select n, (${from} + n::bigint * ${everyMs}) as at from generate_series(1, ${runs}) as n) numbered`,
  );
  await client.query(
    `insert into run (id, pair, job, state, created_at, finished_at, agent, reason, parameters, spec, term)
     select id, $1, job, state, to_timestamp(at / 1000.0),
       case when state in ('queued', 'dispatched', 'running') then null else to_timestamp(at / 1000.0) end,
       case when state in ('queued', 'skipped') then null else agent end,
       case state when 'failed' then 'exit code ' || n % 9 when 'lost' then 'agent ' || agent || ' is lost' end,
       case when n % 7 = 0 then jsonb_build_object('ORDER', 'Number-' || n, 'ZONE', 'eu') else '{}' end,
       '{"command": ["true"]}', 1 from given`,
    [pair],
  );
  await client.query(
    `insert into attempt (run, number, pair, agent, state, ordered_term, ordered_at, finished_at, log_bytes, term)
     select id, number, $1, case when number = 1 and n % 50 = 0 then 'w9' else agent end,
       case when number = 1 and n % 50 = 0 then 'failed' else state end, 1, to_timestamp(at / 1000.0),
       case when state in ('dispatched', 'running') then null else to_timestamp(at / 1000.0) end, ${logBytes}, 1
     from given, generate_series(1, case when n % 50 = 0 then 2 else 1 end) as number
     where state not in ('queued', 'skipped') and not (n % 50 = 0 and state in ('dispatched', 'running'))`,
    [pair],
  );
  if (logBytes > 0) {
    await client.query(
      `insert into run_log (run, attempt, start, data, pair, term)
       select run, number, 0, decode(repeat('ab', ${logBytes}), 'hex'), $1, 1
       from attempt join given on given.id = attempt.run`,
      [pair],
    );
  }
  await client.query('drop table given');
  await client.query('analyze run; analyze attempt; analyze run_log');
}
