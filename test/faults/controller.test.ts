import { isAlive, processId } from '@understudy/shared/runtime/child';
import test from 'ava';
import { eventually, faultLasts } from '../support/cluster/eventually.ts';
import { signal } from '../support/cluster/proc.ts';
import { isServing, termOf } from '../support/cluster.ts';
import { Scenario } from './scenario.ts';

test('F1: a controller that crashes is replaced at once under a new term, and no run is lost', async (t) => {
  const scenario = await Scenario.begin(t);
  const { cluster, before, termBefore } = scenario;
  await scenario.statusExits(0);
  await scenario.submitTwenty();
  signal(await before.active.controllerPid(), 'SIGKILL');
  const healed = await cluster.settled({ above: termBefore });
  t.is(termOf(healed.activeStatus), termBefore + 1n, 'one grant, no flapping');
  // The lease was given back: nobody had to wait until it ran out.
  t.is(await cluster.basisOf(termBefore + 1n), 'released');
  const { runs } = await scenario.judge();
  t.true(runs.every((run) => run.state === 'succeeded'));
  await scenario.statusExits(0);
});

test('F7: a controller that hangs is killed by its heartbeat, and does nothing when it is woken', async (t) => {
  const scenario = await Scenario.begin(t);
  const { cluster, before, termBefore } = scenario;
  await scenario.submitTwenty();
  const pid = await before.active.controllerPid();
  const hung = processId(pid);
  if (hung === null) throw new Error('the controller is not there');
  signal(pid, 'SIGSTOP');
  await cluster.settled({ above: termBefore });
  t.false(isAlive(hung), 'it was not left behind, to be woken later');
  t.is(await cluster.basisOf(termBefore + 1n), 'released');
  const { runs } = await scenario.judge();
  t.true(runs.every((run) => run.state === 'succeeded'));
});

test('F6: a controller that hangs for a moment stays active', async (t) => {
  const scenario = await Scenario.begin(t, { host: { controller: { health: { failures: 20 } } } });
  const { before, termBefore } = scenario;
  const pid = await before.active.controllerPid();
  signal(pid, 'SIGSTOP');
  await faultLasts(500);
  const answered = scenario.prober.successes.length;
  signal(pid, 'SIGCONT');
  await eventually(() => (scenario.prober.successes.length > answered + 3 ? true : null), {
    what: 'answers after the moment',
  });
  const { after } = await scenario.judge();
  t.is(termOf(after.activeStatus), termBefore);
});

test('F22: a passive that dies disturbs nobody, and comes back as passive', async (t) => {
  const scenario = await Scenario.begin(t);
  const { cluster, before, termBefore } = scenario;
  await scenario.submitTwenty();
  await before.passive.killHeartbeat();
  await scenario.statusExits(1, before.active.node);
  t.true(isServing(await cluster.activeOn(before.active.node)));
  before.passive.start();
  const { after } = await scenario.judge();
  t.is(after.active.node, before.active.node);
  t.is(termOf(after.activeStatus), termBefore);
  await scenario.statusExits(0);
});
