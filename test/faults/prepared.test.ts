import type { PairEvent } from '@understudy/shared/protocol/events';
import test from 'ava';
import { eventually, faultLasts } from '../support/cluster/eventually.ts';
import { makeCluster, termOf } from '../support/cluster.ts';
import { Scenario } from './scenario.ts';

const mayPrepare = {
  postgres: { max_prepared_transactions: '4' },
  host: { lease: { preparedTransactions: 'accept' }, failover: { target: '4s' } },
};
/** As without a word of the operator's. */
const byDefault = ['--set', 'lease.preparedTransactions=refuse'];
const complaint =
  /max_prepared_transactions of the PostgreSQL server is 4; expected 0[\s\S]*Set it to 0/;

test('F74: a server that lets transactions be prepared is refused at the start, but a pair at work is joined', async (t) => {
  const cluster = await makeCluster(t, { ...mayPrepare, agents: [] });
  const [a, b] = [cluster.host('a'), cluster.host('b')];
  const created = await cluster.command(['create', ...byDefault]);
  t.is(created.code, 78);
  t.regex(created.stderr, complaint);
  a.start(a.options.log, byDefault);
  t.is(await a.heartbeat.ended, 78);
  a.start();
  await cluster.activeOn('a');
  b.start(b.options.log, byDefault);
  await b.until('to be ready', ({ ready }) => ready);
  // The passive of a running pair is worth more than the rule.
  await a.killHeartbeat();
  await cluster.activeOn('b');
  a.start(a.options.log, byDefault);
  await a.until('to be ready', ({ ready }) => ready);
  await a.stop();
  await b.stop();
  b.start(b.options.log, byDefault);
  t.is(await b.heartbeat.ended, 78, 'all was let go: whoever starts it can read this');
});

test('F74: a left-over prepared transaction is named with the command that ends it, and then the role moves', async (t) => {
  const scenario = await Scenario.begin(t, {
    ...mayPrepare,
    host: { ...mayPrepare.host, agents: { lostAfter: '120s' } },
    agent: { retry: { every: '200ms', timeout: '250ms', limit: 1_000 } },
  });
  const { cluster, before, termBefore } = scenario;
  const { active, passive } = before;
  const { pair } = cluster.facts;
  await scenario.submitTwenty();
  await cluster.query(
    `begin; select understudy.fence('${pair}', ${termBefore}); prepare transaction 'it''s forgotten'`,
  );
  await faultLasts(2 * before.activeStatus.timings.ttlMs);
  await scenario.nothingHappened();
  await active.killHeartbeat();
  const told = await eventually(
    async () => {
      const { stdout } = await cluster.command(['events', '--json'], passive.node);
      const events = JSON.parse(stdout || '[]') as PairEvent[];
      return events.find(({ kind }) => kind === 'holds-still') ?? null;
    },
    { what: 'the passive to say why it does not take over' },
  );
  const [, database, command] =
    /in database (\w+) with: (ROLLBACK PREPARED .+)$/.exec(told.evidence ?? '') ?? [];
  t.is(database, 'understudy', told.evidence ?? '');
  t.is(command, "ROLLBACK PREPARED 'it''s forgotten'");
  t.is((await passive.status())?.role, 'passive');
  const forced = await cluster.command(
    ['switchover', '--force', '--yes', pair, '--to', passive.node],
    passive.node,
  );
  t.is(forced.code, 1);
  t.regex(forced.stderr, /holds the fence/, 'force is no way round it');

  await cluster.query(command ?? '');
  await cluster.activeOn(passive.node);
  active.start();
  const { after, runs } = await scenario.judge();
  t.is(termOf(after.activeStatus), termBefore + 1n);
  t.true(runs.every((run) => run.state === 'succeeded'));
});
