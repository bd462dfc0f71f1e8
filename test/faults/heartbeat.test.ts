import { readFileSync } from 'node:fs';
import test from 'ava';
import { faultLasts } from '../support/cluster/eventually.ts';
import { takePorts } from '../support/cluster/ports.ts';
import { processesMarked, signal } from '../support/cluster/proc.ts';
import { makeCluster, termOf } from '../support/cluster.ts';
import { survivors } from '../support/invariants/processes.ts';
import { Scenario } from './scenario.ts';

test('F18: a controller dies with its heartbeat, and the peer takes over when the lease has run out', async (t) => {
  const scenario = await Scenario.begin(t);
  const { cluster, before, termBefore } = scenario;
  await scenario.submitTwenty();
  await before.active.killHeartbeat();
  await cluster.activeOn(before.passive.node);
  const { incarnation } = before.activeStatus;
  t.deepEqual(survivors(processesMarked(cluster.facts.pair), incarnation), []);
  t.is(await cluster.basisOf(termBefore + 1n), 'silence');
  await scenario.statusExits(1, before.passive.node);
  before.active.start();
  const { after, runs } = await scenario.judge();
  t.is(after.active.node, before.passive.node, 'the one that comes back stays passive');
  t.true(runs.every((run) => run.state === 'succeeded'));
});

test('F21: host and controller dying together is silence, never a proof', async (t) => {
  const scenario = await Scenario.begin(t);
  const { cluster, before, termBefore } = scenario;
  await scenario.submitTwenty();
  const controller = await before.active.controllerPid();
  before.active.heartbeat.signal('SIGKILL');
  signal(controller, 'SIGKILL');
  await before.active.heartbeat.ended;
  await cluster.activeOn(before.passive.node);
  // The ports of the dead refuse connections from the first moment on: that was not taken as proof.
  t.is(await cluster.basisOf(termBefore + 1n), 'silence');
  before.active.start();
  const { runs } = await scenario.judge();
  t.true(runs.every((run) => run.state === 'succeeded'));
});

test('F19: a frozen heartbeat can not keep its controller in service', async (t) => {
  const scenario = await Scenario.begin(t);
  const { cluster, before, termBefore } = scenario;
  await scenario.submitTwenty();
  before.active.heartbeat.signal('SIGSTOP');
  await cluster.activeOn(before.passive.node);
  await faultLasts(before.activeStatus.timings.ttlMs);
  before.active.heartbeat.signal('SIGCONT');
  const { after, runs } = await scenario.judge();
  t.is(after.active.node, before.passive.node);
  t.is(termOf(after.activeStatus), termBefore + 1n);
  t.true(runs.every((run) => run.state === 'succeeded'));
});

test('F20: a heartbeat that restarts at once never takes its old term up again', async (t) => {
  const scenario = await Scenario.begin(t);
  const { before, termBefore, cluster } = scenario;
  await scenario.submitTwenty();
  await before.active.killHeartbeat();
  before.active.start();
  await cluster.settled({ above: termBefore });
  const { incarnation } = before.activeStatus;
  t.deepEqual(survivors(processesMarked(cluster.facts.pair), incarnation), []);
  const { runs } = await scenario.judge();
  t.true(runs.every((run) => run.state === 'succeeded'));
});

test('F14: a second heartbeat with the id of a live node is refused and disturbs nobody', async (t) => {
  const scenario = await Scenario.begin(t);
  const { cluster, before, termBefore } = scenario;
  await scenario.submit('once', 5, 0.5);
  for (const { node } of [before.active, before.passive]) {
    const [heartbeat = 0, controller = 0] = await takePorts(2);
    const twin = cluster.makeTwin(node, [heartbeat, controller]);
    twin.start();
    t.is(await twin.heartbeat.ended, 78);
  }
  const { after } = await scenario.judge();
  t.is(after.active.node, before.active.node);
  t.is(termOf(after.activeStatus), termBefore);
});

test('F118: a host that meets a newer schema after a reboot ends, and does not wait for its node id', async (t) => {
  const cluster = await makeCluster(t, { agents: [] });
  const { active, passive } = await cluster.start();
  t.is(await passive.stop(), 0);
  await cluster.query("update understudy.node set boot_id = 'the one before'");
  await cluster.query(
    "insert into understudy.migration (name, run_on) values ('9999_newer', now())",
  );
  passive.start();
  t.is(await passive.heartbeat.ended, 78);
  t.regex(readFileSync(passive.options.log, 'utf8'), /to 9999_newer by a newer version/);
  await cluster.activeOn(active.node);
});
