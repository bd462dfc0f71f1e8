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

test('F44, F56: a database that is away for five lease times moves nobody', async (t) => {
  const scenario = await Scenario.begin(t, patient);
  const { cluster, before, termBefore } = scenario;
  await scenario.submitTwenty();
  await cluster.postgres.kill();
  const { active } = before;
  await active.until('to be in failsafe', (status) => status.failsafe);
  await faultLasts(5 * before.activeStatus.timings.ttlMs);
  const refused = await cluster.client.ask(
    active.options.controllerUrl,
    'POST',
    '/api/v1/jobs/once/runs',
    { body: {} },
  );
  t.is(refused?.status, 503, 'what must be committed is refused');
  t.true((await active.status())?.failsafe);
  await cluster.postgres.restart();
  const healedAt = process.hrtime.bigint();
  await active.until('to trust the store again', (status) => !status.failsafe);
  const { after, runs } = await scenario.judge(healedAt);
  t.is(after.active.node, active.node);
  t.is(termOf(after.activeStatus), termBefore, 'not even its term has changed');
  t.true(runs.every((run) => run.state === 'succeeded'));
  await scenario.statusExits(0);
});

test('F45: without the database and without its peer the active fences itself in time', async (t) => {
  const scenario = await Scenario.begin(t, patient);
  const { cluster, before, termBefore } = scenario;
  await scenario.submitTwenty();
  await before.passive.stop();
  await cluster.postgres.kill();
  await before.active.until('to fence itself', (status) => status.role === 'passive');
  await scenario.statusExits(2);
  await cluster.postgres.restart();
  before.passive.start();
  const healedAt = process.hrtime.bigint();
  await cluster.settled({ above: termBefore });
  await scenario.submit('once', 5, 0.2);
  const { runs } = await scenario.judge(healedAt);
  t.true(runs.every((run) => run.state === 'succeeded'));
});

test('F58: a database that freezes moves nobody, and its late answers raise no lease from the dead', async (t) => {
  const scenario = await Scenario.begin(t, patient);
  const { cluster, before, termBefore } = scenario;
  await scenario.submitTwenty();
  const { pid } = cluster.postgres;
  if (pid === null) throw new Error('PostgreSQL does not run');
  const frozen = [pid, ...childrenOf(pid)];
  for (const each of frozen) signal(each, 'SIGSTOP');
  await before.active.until('to be in failsafe', (status) => status.failsafe);
  await faultLasts(2 * before.activeStatus.timings.ttlMs);
  for (const each of frozen) signal(each, 'SIGCONT');
  const healedAt = process.hrtime.bigint();
  const { after, runs } = await scenario.judge(healedAt);
  t.is(after.active.node, before.active.node);
  t.is(termOf(after.activeStatus), termBefore);
  t.true(runs.every((run) => run.state === 'succeeded'));
});
