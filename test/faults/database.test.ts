import test from 'ava';
import { faultLasts } from '../support/cluster/eventually.ts';
import { childrenOf, signal } from '../support/cluster/proc.ts';
import { termOf } from '../support/cluster.ts';
import { Scenario } from './scenario.ts';

/** The agents are to outlast the outage. */
const patient = { agent: { retry: { every: '200ms', timeout: '250ms', limit: 1_000 } } };

test('F55: a restart of the database that is shorter than the lease time moves nobody', async (t) => {
  const scenario = await Scenario.begin(t, {
    ...patient,
    host: { failover: { target: '20s' }, agents: { lostAfter: '60s' } },
  });
  const { cluster, before, termBefore } = scenario;
  await scenario.submitTwenty();
  await cluster.postgres.restart();
  const { after, runs } = await scenario.judge();
  t.is(after.active.node, before.active.node);
  t.is(termOf(after.activeStatus), termBefore);
  t.true(runs.every((run) => run.state === 'succeeded'));
});

test('F56: a database that is away for five lease times leaves no one active, then one', async (t) => {
  const scenario = await Scenario.begin(t, patient);
  const { cluster, before, termBefore } = scenario;
  await scenario.submitTwenty();
  await cluster.postgres.kill();
  await before.active.until('to fence itself', (status) => status.role === 'passive');
  await scenario.statusExits(2);
  await faultLasts(5 * before.activeStatus.timings.ttlMs);
  for (const host of cluster.hosts) t.is((await host.status())?.role, 'passive');
  await cluster.postgres.restart();
  const healedAt = process.hrtime.bigint();
  await cluster.settled({ above: termBefore });
  await scenario.submit('once', 5, 0.2);
  const { runs } = await scenario.judge(healedAt);
  t.true(runs.every((run) => run.state === 'succeeded'));
  await scenario.statusExits(0);
});

test('F58: a database that freezes raises no lease from the dead when it thaws', async (t) => {
  const scenario = await Scenario.begin(t, patient);
  const { cluster, before, termBefore } = scenario;
  await scenario.submitTwenty();
  const { pid } = cluster.postgres;
  if (pid === null) throw new Error('PostgreSQL does not run');
  const frozen = [pid, ...childrenOf(pid)];
  for (const each of frozen) signal(each, 'SIGSTOP');
  await before.active.until('to fence itself', (status) => status.role === 'passive');
  await faultLasts(2 * before.activeStatus.timings.ttlMs);
  for (const each of frozen) signal(each, 'SIGCONT');
  const healedAt = process.hrtime.bigint();
  await cluster.settled({ above: termBefore });
  const { runs } = await scenario.judge(healedAt);
  t.true(runs.every((run) => run.state === 'succeeded'));
});
