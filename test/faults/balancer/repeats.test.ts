import test from 'ava';
import { needing } from '../../support/balancer/needing.ts';
import { runIn, runsOnShelf } from '../../support/balancer/users.ts';
import { makeCluster } from '../../support/cluster.ts';
import { putBehind } from './behind.ts';

// Without the prober of a scenario: what a controller commits is what is asked here.
const PAIR = { agents: [], host: { failover: { target: '4s' } } };
const DIES = 'after-commit-before-reply';

test.serial(
  'F110: what was committed without an answer HAProxy repeats with its key, and it is one run; without a key it does not repeat it',
  needing(['haproxy'], async (t) => {
    const cluster = await makeCluster(t, PAIR);
    await cluster.start();
    const { users } = await putBehind(t, cluster);

    cluster.armFailpoint(DIES);
    const keyed = await users.ask('keyed');
    t.true(cluster.failpointHit(DIES));
    t.is(keyed.status, 200, 'the run of the request that died');
    t.deepEqual(await runsOnShelf(cluster), [runIn(keyed)]);
    await cluster.settled();

    cluster.armFailpoint(DIES);
    const plain = await users.ask('plain');
    t.true(cluster.failpointHit(DIES));
    // A connection that had served a request before is closed, so that its client knows as little as HAProxy.
    t.true(plain.status === null || plain.status === 502, `${plain.status} ${plain.text}`);
    await cluster.settled();
    t.is((await runsOnShelf(cluster)).length, 2, 'it was carried out once');
  }),
);

test.serial(
  'F110: what found no open port was not sent: HAProxy sends it when there is one, with a key or without, once',
  needing(['haproxy'], async (t) => {
    const cluster = await makeCluster(t, PAIR);
    await cluster.start();
    // The hosts take their time to start here.
    const change = (text: string) => text.replace(/retries \d+/, 'retries 100');
    const { users } = await putBehind(t, cluster, { change });
    for (const host of cluster.hosts) await host.stop();
    const asking = Promise.all([users.ask('plain'), users.ask('keyed'), users.ask('read')]);
    for (const host of cluster.hosts) host.start();
    const asked = await asking;
    t.deepEqual(
      asked.map(({ status }) => status),
      [201, 201, 200],
    );
    t.is((await runsOnShelf(cluster)).length, 2);
  }),
);
