import test from 'ava';
import { eventually } from '../support/cluster/eventually.ts';
import { signal } from '../support/cluster/proc.ts';
import type { Cluster } from '../support/cluster.ts';
import { Scenario } from './scenario.ts';

const hit = (cluster: Cluster, place: Parameters<Cluster['failpointHit']>[0]) =>
  eventually(() => (cluster.failpointHit(place) ? true : null), { what: `a crash ${place}` });

test('F3: a crash between commit and answer leaves one run, which the repeated request finds', async (t) => {
  const scenario = await Scenario.begin(t);
  const { cluster } = scenario;
  cluster.armFailpoint('after-commit-before-reply');
  const submitted = await scenario.submit('once', 5, 0.2);
  t.true(cluster.failpointHit('after-commit-before-reply'));
  t.is(new Set(submitted.map((run) => run.id)).size, 5);
  await scenario.judge();
  const { items } = (await cluster.client.request('GET', '/api/v1/runs?job=once')) as {
    items: readonly { id: string }[];
  };
  t.deepEqual(
    items.map((run) => run.id).toSorted(),
    submitted.map((run) => run.id).toSorted(),
    'no run but those that were answered',
  );
});

test('F4: a crash between the intent and the order is settled with the agents', async (t) => {
  const scenario = await Scenario.begin(t);
  const { cluster } = scenario;
  cluster.armFailpoint('after-intent-before-order');
  await scenario.submit('once', 5, 0.2);
  await scenario.submit('again', 5, 0.2);
  await hit(cluster, 'after-intent-before-order');
  const { runs } = await scenario.judge();
  for (const run of runs) {
    // What was never sent may be called lost; what may be repeated has to succeed.
    t.true(run.state === 'succeeded' || (run.job === 'once' && run.state === 'lost'), run.state);
  }
});

test('F5: a crash before a report is recorded doubles nothing: the agent reports again', async (t) => {
  const scenario = await Scenario.begin(t);
  const { cluster } = scenario;
  await scenario.submit('once', 5, 2);
  await scenario.submit('again', 5, 2);
  cluster.armFailpoint('after-accept-before-record');
  await hit(cluster, 'after-accept-before-record');
  const { runs } = await scenario.judge();
  t.true(runs.every((run) => run.state === 'succeeded'));
  t.is(scenario.starts.length, runs.length);
});

test('F8: a controller whose loop is blocked is ended, though its port still takes connections', async (t) => {
  const scenario = await Scenario.begin(t);
  const { cluster, before, termBefore } = scenario;
  await scenario.submitTwenty();
  signal(await before.active.controllerPid(), 'SIGUSR2');
  await cluster.settled({ above: termBefore });
  const { runs } = await scenario.judge();
  t.true(runs.every((run) => run.state === 'succeeded'));
});

test('F16: a controller whose scheduler is dead is not healthy, though it answers', async (t) => {
  const scenario = await Scenario.begin(t);
  const { cluster, before, termBefore } = scenario;
  signal(await before.active.controllerPid(), 'SIGUSR1');
  await cluster.settled({ above: termBefore });
  await scenario.judge();
  t.pass();
});
