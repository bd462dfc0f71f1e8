import test from 'ava';
import { needing } from '../../support/balancer/needing.ts';
import { TestAuthority } from '../../support/certificates.ts';
import { eventually } from '../../support/cluster/eventually.ts';
import { Scenario } from '../scenario.ts';
import { putBehind, STEADY, switchOverFailsNobody } from './behind.ts';

const PER_SECOND = 50;
const begin = Scenario.shared(test, { ...STEADY, tls: true });

test.serial(
  `F83: no request of ${PER_SECOND} a second fails in a switch-over of a pair that speaks TLS behind an HAProxy that asks its heartbeats over TLS`,
  needing(['haproxy'], async (t) => {
    const scenario = await begin(t);
    const { cluster } = scenario;
    const { haproxy, users } = await putBehind(t, cluster, { keepAlive: false });
    await eventually(() => (STOPPING.test(haproxy.said) ? true : null), {
      what: 'HAProxy to know by a verified answer who is not active',
    });
    t.notRegex(haproxy.said, /DOWN/);
    await switchOverFailsNobody(t, scenario, { users, perSecond: PER_SECOND });
    await scenario.judge();
  }),
);

test.serial(
  'F111: an HAProxy believes no heartbeat whose certificate another authority has signed; users find the active by its open port',
  needing(['haproxy'], async (t) => {
    const scenario = await begin(t);
    const { cluster, before } = scenario;
    const stranger = await TestAuthority.make(cluster.facts.pair);
    t.teardown(() => stranger.remove());
    const change = (text: string) => text.replaceAll(/ca-file \S+/g, `ca-file ${stranger.ca}`);
    const { haproxy, users } = await putBehind(t, cluster, { change });
    for (const { node } of cluster.hosts) {
      const refused = new RegExp(`controllers/${node} is DOWN, reason: Layer6 invalid response`);
      await eventually(() => (refused.test(haproxy.said) ? true : null), {
        what: `HAProxy to refuse ${node}`,
      });
    }
    for (const kind of ['read', 'keyed', 'plain'] as const) {
      t.is((await users.ask(kind)).served?.node, before.active.node);
    }
    await scenario.judge();
  }),
);

const STOPPING = /Server controllers\/\S+ is stopping/;
