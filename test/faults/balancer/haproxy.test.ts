import test from 'ava';
import { needing } from '../../support/balancer/needing.ts';
import { failedOf } from '../../support/balancer/users.ts';
import { faultLasts } from '../../support/cluster/eventually.ts';
import { servingFaults } from '../../support/invariants/service.ts';
import { Scenario } from '../scenario.ts';
import { onlyPlainLost, putBehind, STEADY } from './behind.ts';

const PER_SECOND = 100;
/** Before and after what happens, so that both controllers are asked for a while. */
const CALM_MS = 1_500;

const begin = Scenario.shared(test, STEADY);

const forms = {
  'that asks the heartbeats': { more: [], keepAlive: false },
  'that asks the heartbeats, from clients that keep their connections': {
    more: [],
    keepAlive: true,
  },
  'that only looks at ports': { more: ['--check', 'tcp'], keepAlive: false },
  'that only looks at ports, from clients that keep their connections': {
    more: ['--check', 'tcp'],
    keepAlive: true,
  },
};

for (const [form, { more, keepAlive }] of Object.entries(forms)) {
  test.serial(
    `F83: no request of ${PER_SECOND} a second fails in a switch-over behind an HAProxy ${form}`,
    needing(['haproxy'], async (t) => {
      const scenario = await begin(t);
      const { cluster } = scenario;
      const { users } = await putBehind(t, cluster, { more, keepAlive });
      const load = users.start(PER_SECOND);
      await faultLasts(CALM_MS);
      const { code, stderr } = await cluster.command(['switchover']);
      t.is(code, 0, stderr);
      // The old controller sends on for five seconds and is ended then.
      await faultLasts(5_000 + CALM_MS);
      const asked = await load.stop();
      t.deepEqual(failedOf(asked), [], `of ${asked.length}`);
      const answers = asked.flatMap(({ served }) => served ?? []);
      t.deepEqual([...new Set(answers.map(({ node }) => node))].toSorted(), ['a', 'b']);
      t.deepEqual(servingFaults(answers), []);
      await scenario.judge();
    }),
  );
}

test.serial(
  'F1: behind HAProxy the death of a controller is a delay for who reads or brings a key',
  needing(['haproxy'], async (t) => {
    const scenario = await begin(t);
    const { cluster, before } = scenario;
    const { users } = await putBehind(t, cluster);
    const load = users.start(PER_SECOND);
    await faultLasts(CALM_MS);
    process.kill(await before.active.controllerPid(), 'SIGKILL');
    await cluster.activeOn(before.passive.node);
    await faultLasts(CALM_MS);
    const asked = await load.stop();
    onlyPlainLost(t, asked);
    t.deepEqual(servingFaults(asked.flatMap(({ served }) => served ?? [])), []);
    await scenario.judge();
  }),
);
