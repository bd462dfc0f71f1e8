import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import pg from 'pg';
import { faultLasts } from '../support/cluster/eventually.ts';
import type { Cluster } from '../support/cluster.ts';
import { Scenario } from './scenario.ts';

/** Others who use the tables of the pair, in an order of their own. */
const RIVALS = 3;
const STORM_MS = 8_000;

/**
 * Of the statements that change runs one of eight meets a conflict, as under the strictest isolation: a transaction has
 * several, and nine in a row are an outage, which must not come by chance.
 */
const CONFLICTS = `
  create sequence public.conflict;
  create function public.conflict() returns trigger language plpgsql as $$
  begin
    if random() < 0.12 then
      perform nextval('public.conflict');
      raise exception using errcode = '40001', message = 'could not serialize access, says the test';
    end if;
    return null;
  end
  $$;
  create trigger conflict after insert or update on understudy.run
    for each statement execute function public.conflict();`;

test('F71: a storm of deadlocks and failed serializations costs time, and nothing else', async (t) => {
  const scenario = await Scenario.begin(t, {
    host: { failover: { target: '10s' }, agents: { lostAfter: '60s' } },
    agent: { retry: { every: '200ms', timeout: '2s', limit: 200 } },
  });
  const { cluster, before } = scenario;
  await cluster.query(
    'alter database understudy set default_transaction_isolation to serializable',
  );
  await cluster.query("alter system set deadlock_timeout to '50ms'");
  // Every connection from now on is asked for more than it bargained for.
  await cluster.postgres.restart();
  await before.active.until('to have the store back', ({ failsafe }) => !failsafe);
  await scenario.submitTwenty();
  const complaints = () => scenario.logLines(before.active.node, 'does not take changes').length;
  const complaintsBefore = complaints();
  await cluster.query(CONFLICTS);
  const storm = new AbortController();
  const rivals = Array.from({ length: RIVALS }, () => rival(cluster, storm.signal));
  t.teardown(() => storm.abort());
  const until = performance.now() + STORM_MS;
  while (performance.now() < until) {
    await scenario.submit('again', 2, 0.1);
    await faultLasts(200);
  }
  storm.abort();
  await Promise.all(rivals);
  await cluster.query('drop trigger conflict on understudy.run');
  const [seen] = await cluster.query<{ deadlocks: string; conflicts: string }>(
    `select deadlocks, (select last_value from public.conflict) as conflicts
     from pg_stat_database where datname = current_database()`,
  );
  t.log(`${seen?.deadlocks} deadlocks, ${seen?.conflicts} failed serializations`);
  t.true(Number(seen?.deadlocks) > 0 && Number(seen?.conflicts) > 2);
  // Only very many in a row count as an outage, for which users are refused: without the tries, all would.
  const outages = complaints() - complaintsBefore;
  const met = Number(seen?.deadlocks) + Number(seen?.conflicts);
  t.true(10 * outages <= met, `${outages} of ${met} conflicts were taken for an outage`);
  const { runs } = await scenario.judge();
  t.true(runs.every((run) => run.state === 'succeeded'));
  await scenario.nothingHappened();
});

/** Locks what the controller locks, the other way round, again and again. */
async function rival(cluster: Cluster, signal: AbortSignal): Promise<void> {
  const client = new pg.Client({ connectionString: cluster.postgres.url });
  client.on('error', () => undefined);
  await client.connect();
  while (!signal.aborted) {
    try {
      await client.query('begin isolation level read committed');
      for (const table of ['attempt', 'run']) {
        await client.query(`select from understudy.${table} where finished_at is null for update`);
        await pause(20);
      }
      await client.query('commit');
    } catch {
      // It was the one that had to give way.
      await client.query('rollback');
    }
    await pause(20 + 60 * Math.random());
  }
  await client.end();
}
