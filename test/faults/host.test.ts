import test from 'ava';
import { faultLasts } from '../support/cluster/eventually.ts';
import { processesMarked } from '../support/cluster/proc.ts';
import { termOf } from '../support/cluster.ts';
import { survivors } from '../support/invariants/processes.ts';
import { Scenario } from './scenario.ts';

test('F31: a clean stop hands the lease to the ready peer before it ends, and exits with 0', async (t) => {
  const scenario = await Scenario.begin(t);
  const { cluster, before, termBefore } = scenario;
  await scenario.submitTwenty();
  t.is(await before.active.stop(), 0);
  t.deepEqual(survivors(processesMarked(cluster.facts.pair), before.activeStatus.incarnation), []);
  await cluster.activeOn(before.passive.node);
  t.is(await cluster.basisOf(termBefore + 1n), 'handed-over');
  before.active.start();
  const { after, runs } = await scenario.judge();
  t.is(after.active.node, before.passive.node);
  t.true(runs.every((run) => run.state === 'succeeded'));
});

test('F32: a host that was frozen serves nothing when it thaws', async (t) => {
  const scenario = await Scenario.begin(t);
  const { cluster, before, termBefore } = scenario;
  await scenario.submitTwenty();
  const controller = await before.active.controllerPid();
  before.active.signalAll('SIGSTOP', controller);
  await cluster.activeOn(before.passive.node);
  await faultLasts(before.activeStatus.timings.ttlMs);
  before.active.signalAll('SIGCONT', controller);
  const { after, runs } = await scenario.judge();
  t.is(after.active.node, before.passive.node);
  t.is(termOf(after.activeStatus), termBefore + 1n);
  t.true(runs.every((run) => run.state === 'succeeded'));
});

test('F37: both hosts lose their power and come back: one is active, and no run is doubled', async (t) => {
  const scenario = await Scenario.begin(t);
  const { cluster, before, termBefore } = scenario;
  await scenario.submitTwenty();
  await Promise.all(cluster.hosts.map((host) => host.killHeartbeat()));
  await scenario.statusExits(2);
  for (const host of cluster.hosts.toReversed()) host.start();
  await cluster.settled({ above: termBefore });
  t.deepEqual(survivors(processesMarked(cluster.facts.pair), before.activeStatus.incarnation), []);
  const { runs } = await scenario.judge();
  t.true(runs.every((run) => run.state === 'succeeded'));
  await scenario.statusExits(0);
});
