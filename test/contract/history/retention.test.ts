import { Pace } from '@understudy/controller/history/pace';
import { type SweepOptions, sweep } from '@understudy/controller/history/sweep';
import { DeposedError, WriterLane } from '@understudy/controller/store/lane';
import { Reader } from '@understudy/controller/store/reader';
import test, { type ExecutionContext } from 'ava';
import type pg from 'pg';
import { type Store, serverFor } from '../support/store.ts';
import { fillRuns } from './fill.ts';

const prepared = serverFor(test);
const DAY_MS = 86_400_000;

interface Setting {
  readonly store: Store;
  readonly client: pg.Client;
  readonly forgotten: string[];
  /** Takes all bites of one look; gives how many, and the longest of them. */
  look(options: Partial<SweepOptions>): Promise<{ bites: number; longestMs: number }>;
}

async function setUp(t: ExecutionContext): Promise<Setting> {
  const store = await prepared(t);
  const { database, schema, pair } = store;
  const of = { database, schema, pair, node: 'a' };
  const reader = new Reader({ ...of, onAway: () => undefined });
  const lane = new WriterLane(of);
  t.teardown(async () => {
    lane.close();
    await reader.close();
  });
  const forgotten: string[] = [];
  const look = async (options: Partial<SweepOptions>) => {
    const pace = new Pace();
    let [bites, longestMs] = [0, 0];
    const all = sweep({
      ...{ pair, reader, pace, runs: { ageMs: null, count: null } },
      ...{ eventsMs: null, auditMs: null },
      jobOf: () => null,
      hooks: () => [],
      onForgotten: (ids) => forgotten.push(...ids),
      ...options,
    });
    for await (const bite of all) {
      const begunAt = performance.now();
      const mayCommit = async () => undefined;
      await lane.transaction({ term: 0n, timeoutMs: 10_000, mayCommit }, bite);
      const tookMs = performance.now() - begunAt;
      pace.restAfter(tookMs);
      [bites, longestMs] = [bites + 1, Math.max(longestMs, tookMs)];
    }
    return { bites, longestMs };
  };
  return { store, client: await store.connect(), forgotten, look };
}

async function countOf(client: pg.Client, from: string): Promise<number> {
  const { rows } = await client.query<{ count: number }>(
    `select count(*)::integer as count from ${from}`,
  );
  return rows[0]?.count ?? -1;
}

/** Everything that belongs to a run that is not there. */
const ORPHANS = `(select run from attempt where not exists (select from run where id = attempt.run)
  union all select run from run_log where not exists (select from run where id = run_log.run)
  union all select subject::uuid from event where kind like 'run-%'
    and not exists (select from run where id = event.subject::uuid)) orphans`;

async function fill({ client, store }: Setting, runs: number, logBytes = 0): Promise<void> {
  // The oldest is 100 days old, the newest was made just now.
  const everyMs = Math.floor((100 * DAY_MS) / runs);
  const from = Date.now() - everyMs * runs;
  await fillRuns(client, { pair: store.pair, runs, from, everyMs, logBytes });
  await client.query(`insert into event (pair, at, term, kind, subject, message, facts)
    select pair, coalesce(finished_at, created_at), 1, 'run-ended', id::text, 'ended', '{}' from run order by id`);
}

test('runs that ended long ago go with their attempts, output and events; what is open stays', async (t) => {
  const setting = await setUp(t);
  const { client, forgotten, look } = setting;
  await fill(setting, 3_000, 50);
  // Older than all, and still not over.
  await client.query(
    "update run set state = 'queued', finished_at = null where id = (select min(id::text)::uuid from run)",
  );
  const old = "run where finished_at < now() - interval '30 days'";
  const expected = await countOf(client, old);
  t.true(expected > 2_000);
  const { bites } = await look({ runs: { ageMs: 30 * DAY_MS, count: null } });
  t.is(forgotten.length, expected);
  t.true(bites > 10, 'in bites');
  t.is(await countOf(client, old), 0);
  t.is(await countOf(client, 'run'), 3_000 - expected);
  t.is(await countOf(client, 'run where finished_at is null'), 51);
  t.is(await countOf(client, ORPHANS), 0);
  t.is(
    (await look({ runs: { ageMs: 30 * DAY_MS, count: null } })).bites,
    0,
    'nothing is left to do',
  );
});

test('of each job the newest are kept, as many as configured, or as the job says', async (t) => {
  const setting = await setUp(t);
  const { client, look } = setting;
  await fill(setting, 2_000);
  await look({
    runs: { ageMs: null, count: 20 },
    jobOf: (name) => (name === 'job-3' ? { retention: { count: 50 } } : null),
  });
  const { rows } = await client.query<{ job: string; count: number; oldest: string; open: number }>(
    `select job, count(*)::integer as count, count(*) filter (where finished_at is null)::integer as open
     from run group by job`,
  );
  t.is(rows.length, 20);
  for (const { job, count } of rows) t.is(count, job === 'job-3' ? 50 : 20, job);
  t.is(await countOf(client, 'run where finished_at is null'), 50);
  t.is(await countOf(client, ORPHANS), 0);
});

test('a job that keeps its runs for ever is passed by without being read', async (t) => {
  const setting = await setUp(t);
  const { client, look } = setting;
  await fill(setting, 2_000);
  const before = await countOf(client, "run where job = 'job-3'");
  await look({
    runs: { ageMs: DAY_MS, count: null },
    jobOf: (name) => (name === 'job-3' ? { retention: { ageMs: null } } : null),
  });
  t.is(await countOf(client, "run where job = 'job-3'"), before);
  t.true((await countOf(client, 'run')) < before + 100);
});

test('a long output goes bite by bite, and its run after it', async (t) => {
  const setting = await setUp(t);
  const { client, look } = setting;
  await fill(setting, 60);
  const { rows } = await client.query<{ run: string }>(
    "select run from attempt where state = 'succeeded' order by run limit 1",
  );
  const long = rows[0]?.run ?? '';
  await client.query(
    `insert into run_log (run, attempt, start, data, pair, term)
     select $1, 1, n * 65536, decode(repeat('ab', 65536), 'hex'), 'orders', 1 from generate_series(0, 399) n`,
    [long],
  );
  await client.query('update attempt set log_bytes = 400 * 65536 where run = $1 and number = 1', [
    long,
  ]);
  const { bites } = await look({ runs: { ageMs: DAY_MS, count: null } });
  t.true(bites >= 5);
  t.is(await countOf(client, `run where id = '${long}'`), 0);
  t.is(await countOf(client, ORPHANS), 0);
});

test('old events go, but the last that tells of a tenure', async (t) => {
  const { client, look } = await setUp(t);
  await client.query(`insert into event (pair, at, term, kind, subject, message, facts)
    select 'orders', now() - (4000 - n) * interval '1 hour', 1,
      case when n in (100, 900) then 'tenure-begun' else 'job-applied' end, 'a', 'm', '{}'
    from generate_series(1, 4000) n`);
  const { bites } = await look({ eventsMs: 90 * DAY_MS });
  t.true(bites > 1);
  t.is(
    await countOf(client, "event where kind = 'job-applied' and at < now() - interval '90 days'"),
    0,
  );
  t.is(await countOf(client, "event where kind = 'tenure-begun'"), 1);
  t.is(await countOf(client, 'event'), 90 * 24 + 1);
});

test('what the audit trail holds beyond its age goes in bites, and all the rest stays', async (t) => {
  const { client, look } = await setUp(t);
  await client.query(`insert into audit
      (pair, at, term, actor, action, subject, address, items, count, batch, place)
    select pair, now() - (4000 - n) * interval '3 hours', 1, 'ci', 'job.apply', 'j', '', '[]', 1,
      gen_random_uuid(), 0
    from generate_series(1, 4000) n, unnest(array['orders', 'another']) as pair order by n`);
  const before = await countOf(client, "audit where pair = 'another'");
  t.is((await look({ eventsMs: 90 * DAY_MS })).bites, 0, 'it has an age of its own');
  t.is(await countOf(client, 'audit'), 2 * before);
  const { bites } = await look({ auditMs: 365 * DAY_MS });
  t.true(bites > 1);
  t.is(await countOf(client, "audit where pair = 'orders'"), 365 * 8);
  t.is(
    await countOf(client, "audit where pair = 'orders' and at < now() - interval '365 days'"),
    0,
  );
  t.is(await countOf(client, "audit where pair = 'another'"), before);
  t.is((await look({ auditMs: 365 * DAY_MS })).bites, 0, 'nothing is left to do');
});

test('what hooks were told goes with the events, and all of a hook that is gone', async (t) => {
  const { client, look } = await setUp(t);
  const [there, gone] = [
    '00000000-0000-4000-8000-000000000001',
    '00000000-0000-4000-8000-000000000002',
  ];
  await client.query(
    `insert into hook_delivery (hook, id, pair, event, body, state, created_at, due_at, finished_at, term)
     select hook, (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '70008' || lpad(to_hex(n), 15, '0'))::uuid,
       'orders', 'run.lost', '{}', state, at, at, case when state = 'pending' then null else at end, 1
     from (select n, now() - n * interval '1 day' as at from generate_series(1, 200) n) numbered,
       unnest($1::uuid[]) as hook, unnest(array['pending', 'delivered']) as state
     where (state = 'pending') = (n % 10 = 0)`,
    [[there, gone]],
  );
  await look({ eventsMs: 90 * DAY_MS, hooks: () => [there] });
  t.is(await countOf(client, `hook_delivery where hook = '${gone}'`), 0);
  t.is(
    await countOf(client, "hook_delivery where state = 'pending'"),
    20,
    'what is still to be told stays',
  );
  t.is(await countOf(client, "hook_delivery where state = 'delivered'"), 81);
});

test('a controller whose term is over removes nothing', async (t) => {
  const setting = await setUp(t);
  const { client, look } = setting;
  await fill(setting, 200);
  await client.query('select close_fence($1)', ['orders']);
  await client.query("update fence set term = 1 where pair = 'orders'");
  await t.throwsAsync(look({ runs: { ageMs: DAY_MS, count: null } }), { instanceOf: DeposedError });
  t.is(await countOf(client, 'run'), 200);
});
