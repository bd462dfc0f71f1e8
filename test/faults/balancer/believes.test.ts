import test from 'ava';
import type { Balancer } from '../../support/balancer/balancer.ts';
import { needing } from '../../support/balancer/needing.ts';
import { failedOf } from '../../support/balancer/users.ts';
import { faultLasts } from '../../support/cluster/eventually.ts';
import { servingFaults } from '../../support/invariants/service.ts';
import { Scenario } from '../scenario.ts';
import { putBehind, STEADY } from './behind.ts';

const begin = Scenario.shared(test, STEADY);

test.serial(
  'F111: while HAProxy is down the controllers are asked directly, and after its start it knows who is active',
  needing(['haproxy'], async (t) => {
    const scenario = await begin(t);
    const { cluster } = scenario;
    const { haproxy, users } = await putBehind(t, cluster);
    await haproxy.stop();
    t.is((await users.ask('read')).status, null);
    t.truthy(await cluster.client.request('GET', '/api/v1/pair'));
    t.is((await cluster.command(['switchover'])).code, 0);
    await haproxy.start();
    t.is((await users.ask('plain')).served?.node, scenario.before.passive.node);
    await scenario.judge();
  }),
);

test.serial(
  'F111: an HAProxy that believes in both controllers gets answers of the active one only',
  needing(['haproxy'], async (t) => {
    const scenario = await begin(t);
    const { cluster, before } = scenario;
    const change = (text: string) => text.replaceAll(/ check addr \S+ port \d+$/gm, '');
    const { users } = await putBehind(t, cluster, { change });
    const load = users.start(100);
    await faultLasts(1_500);
    const asked = await load.stop();
    t.deepEqual(failedOf(asked), []);
    t.true(asked.every(({ served }) => served?.node === before.active.node));
    const during = users.start(100);
    t.is((await cluster.command(['switchover'])).code, 0);
    const answers = (await during.stop()).flatMap(({ served }) => served ?? []);
    t.true(answers.length > 10);
    t.deepEqual(servingFaults(answers), []);
    await scenario.judge();
  }),
);

const moments = {
  'that believes in both controllers': {
    change: (text: string) => text.replaceAll(/ check addr \S+ port \d+$/gm, ''),
    begins: async () => undefined,
  },
  'that has just been started': {
    change: (text: string) => text,
    begins: async (haproxy: Balancer) => {
      await haproxy.stop();
      await haproxy.start();
    },
  },
};

for (const [which, { change, begins }] of Object.entries(moments)) {
  test.serial(
    `F111: at an HAProxy ${which} requests wait while both refuse, until one of them serves`,
    needing(['haproxy'], async (t) => {
      const scenario = await begin(t);
      const { cluster } = scenario;
      // The hosts take their time to start here.
      const patient = (text: string) => change(text).replace(/retries \d+/, 'retries 100');
      const { haproxy, users } = await putBehind(t, cluster, { change: patient });
      for (const host of cluster.hosts) await host.stop();
      await begins(haproxy);
      const asking = Promise.all([users.ask('plain'), users.ask('keyed'), users.ask('read')]);
      for (const host of cluster.hosts) host.start();
      t.deepEqual(failedOf(await asking), []);
      await cluster.settled();
      await scenario.judge();
    }),
  );
}

test.serial(
  'F111: an HAProxy that believes in no controller finds the active one by its open port',
  needing(['haproxy'], async (t) => {
    const scenario = await begin(t);
    const { cluster, before } = scenario;
    // Nobody listens at the port of discard.
    const change = (text: string) => text.replaceAll(/(check addr \S+ port) \d+$/gm, '$1 9');
    const { users } = await putBehind(t, cluster, { change });
    await faultLasts(2_000);
    const load = users.start(20);
    await faultLasts(1_500);
    const asked = await load.stop();
    t.deepEqual(failedOf(asked), []);
    t.true(asked.every(({ served }) => served?.node === before.active.node));
    await scenario.judge();
  }),
);

test.serial(
  'F111: while both hosts are down users are told so, and when to come again',
  needing(['haproxy'], async (t) => {
    const scenario = await begin(t);
    const { cluster } = scenario;
    const { users } = await putBehind(t, cluster);
    for (const host of cluster.hosts) await host.stop();
    for (const kind of ['read', 'plain'] as const) {
      const { status, headers, text } = await users.ask(kind);
      t.is(status, 503);
      t.is(headers['retry-after'], '1');
      t.is(headers['content-type'], 'application/json');
      t.is((JSON.parse(text) as { error: { code: string } }).error.code, 'not-active');
    }
    for (const host of cluster.hosts) host.start();
    await cluster.settled();
    t.is((await users.ask('plain')).status, 201);
    await scenario.judge();
  }),
);
