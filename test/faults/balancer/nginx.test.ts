import test from 'ava';
import { startNginx } from '../../support/balancer/balancer.ts';
import { needing } from '../../support/balancer/needing.ts';
import { putShelf, runIn, runsOnShelf, Users } from '../../support/balancer/users.ts';
import { makeCluster } from '../../support/cluster.ts';
import { Scenario } from '../scenario.ts';
import { STEADY, switchOverFailsNobody } from './behind.ts';

const DIES = 'after-commit-before-reply';

test.serial(
  'F83: no request of 100 a second fails in a switch-over behind nginx, which sees nothing but ports',
  needing(['nginx'], async (t) => {
    const scenario = await Scenario.begin(t, STEADY);
    const { cluster } = scenario;
    await putShelf(cluster);
    const { url } = await startNginx(t, cluster);
    const users = new Users({ url, token: cluster.facts.token, keepAlive: true });
    t.teardown(() => users.close());
    await switchOverFailsNobody(t, scenario, { users, perSecond: 100 });
    await scenario.judge();
  }),
);

test.serial(
  'F110: nginx repeats no POST that it has sent, and says that nothing is known of it; with its key it can be repeated',
  needing(['nginx'], async (t) => {
    const cluster = await makeCluster(t, { agents: [], host: { failover: { target: '4s' } } });
    await cluster.start();
    await putShelf(cluster);
    const { url } = await startNginx(t, cluster);
    const users = new Users({ url, token: cluster.facts.token });
    for (const kind of ['plain', 'keyed'] as const) {
      cluster.armFailpoint(DIES);
      const earlier = (await runsOnShelf(cluster)).length;
      const { status, headers, text } = await users.ask(kind, 'a-key');
      t.true(cluster.failpointHit(DIES));
      t.is(status, 502);
      t.is(headers['retry-after'], '1');
      t.is((JSON.parse(text) as { error: { code: string } }).error.code, 'answer-lost');
      await cluster.settled();
      t.is((await runsOnShelf(cluster)).length, earlier + 1, 'it was carried out once');
    }
    const again = await users.ask('keyed', 'a-key');
    t.is(again.status, 200);
    t.true((await runsOnShelf(cluster)).includes(runIn(again)));
    t.is((await runsOnShelf(cluster)).length, 2);
  }),
);

test.serial(
  'F111: behind nginx users are told at once that both hosts are down',
  needing(['nginx'], async (t) => {
    const cluster = await makeCluster(t, { agents: [] });
    await cluster.start();
    await putShelf(cluster);
    const { url } = await startNginx(t, cluster);
    const users = new Users({ url, token: cluster.facts.token });
    t.is((await users.ask('read')).status, 200);
    for (const host of cluster.hosts) await host.stop();
    const { status, headers } = await users.ask('read');
    t.is(status, 502);
    t.is(headers['retry-after'], '1');
    for (const host of cluster.hosts) host.start();
    await cluster.settled();
    t.is((await users.ask('plain')).status, 201);
  }),
);
