import test from 'ava';
import { needing } from '../../support/balancer/needing.ts';
import { faultLasts } from '../../support/cluster/eventually.ts';
import { servingFaults } from '../../support/invariants/service.ts';
import { Scenario } from '../scenario.ts';
import { CALM_MS, onlyPlainLost, putBehind, STEADY, switchOverFailsNobody } from './behind.ts';

const PER_SECOND = 100;

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
      const { users } = await putBehind(t, scenario.cluster, { more, keepAlive });
      await switchOverFailsNobody(t, scenario, { users, perSecond: PER_SECOND });
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
