import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import { signal } from '../support/cluster/proc.ts';
import { termOf } from '../support/cluster.ts';
import { Scenario } from './scenario.ts';

test('I5, F1: a pair that speaks TLS replaces a controller that is killed, and its agents follow', async (t) => {
  const scenario = await Scenario.begin(t, { tls: true });
  const { cluster, before, termBefore } = scenario;
  await scenario.statusExits(0);
  await scenario.submitTwenty();
  signal(await before.active.controllerPid(), 'SIGKILL');
  const healed = await cluster.settled({ above: termBefore });
  t.is(termOf(healed.activeStatus), termBefore + 1n, 'one grant, no flapping');
  t.is(await cluster.basisOf(termBefore + 1n), 'released');
  await cluster.agentsConnected(['w1', 'w2']);
  const { runs } = await scenario.judge();
  t.true(runs.every((run) => run.state === 'succeeded'));
});

test('I5, F83: no request fails in a switch-over of a pair that speaks TLS', async (t) => {
  const scenario = await Scenario.begin(t, { tls: true });
  const { cluster, before, termBefore } = scenario;
  await scenario.submitTwenty();
  const url = before.active.options.controllerUrl;
  const asked: Promise<number | null>[] = [];
  let isOver = false;
  const load = (async () => {
    for (let n = 0; !isOver; n += 1) {
      const write = { body: { parameters: { LASTS: '0.1' } } };
      const answer =
        n % 3 === 0
          ? cluster.client.ask(url, 'POST', '/api/v1/jobs/again/runs', write)
          : cluster.client.ask(url, 'GET', '/api/v1/pair');
      asked.push(answer.then((each) => each?.status ?? null));
      await pause(15);
    }
  })();
  const { code, stdout } = await cluster.command(['switchover', '--json']);
  isOver = true;
  await load;
  t.is(code, 0, stdout);
  const statuses = await Promise.all(asked);
  const failed = statuses.filter((status) => status === null || status >= 300);
  t.deepEqual(failed, [], `of ${statuses.length}`);
  t.is(await cluster.basisOf(termBefore + 1n), 'handed-over');
  const { after } = await scenario.judge();
  t.is(after.active.node, before.passive.node);
});
