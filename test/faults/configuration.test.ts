import test from 'ava';
import pg from 'pg';
import { faultLasts } from '../support/cluster/eventually.ts';
import { makeCluster } from '../support/cluster.ts';

const fast = { failover: { target: '4s' } };

test('F38, F53: a node that uses another database than its peer takes no role, and says why', async (t) => {
  const cluster = await makeCluster(t, { agents: [], host: fast });
  const other = new URL(cluster.facts.database);
  other.pathname = '/other';
  const client = new pg.Client({ connectionString: cluster.facts.database });
  await client.connect();
  await client.query('create database other');
  await client.end();
  const strayed = ['--set', `database=${other.href}`];
  t.is((await cluster.command(['create', ...strayed], 'b')).code, 0);
  const [a, b] = [cluster.host('a'), cluster.host('b')];
  a.start();
  await cluster.activeOn('a');
  b.start(b.options.log, strayed);
  const reason = /a uses another database/;
  await b.until('to say why it takes no part', ({ notReady }) =>
    notReady.some((each) => reason.test(each)),
  );
  await faultLasts(4_000);
  t.is((await b.status())?.role, 'passive', 'its own lease is free, and it leaves it');
  await a.until('to tell of it too', ({ disagreements }) =>
    disagreements.some((each) => /b uses another/.test(each)),
  );
  const { code, stderr } = await cluster.command(['switchover']);
  t.is(code, 1);
  t.regex(stderr, reason);
  // Nobody could take over, so nobody does.
  await a.killHeartbeat();
  await faultLasts(4_000);
  t.is((await b.status())?.role, 'passive');
  a.start();
  // It goes on where the pair has lived.
  await cluster.activeOn('a');
});

test('F90: nodes that disagree about the lease time say so, and the longer one counts', async (t) => {
  const cluster = await makeCluster(t, {
    agents: [],
    each: { a: { failover: { target: '12s' } }, b: { failover: { target: '2s' } } },
  });
  const { active, activeStatus, passive } = await cluster.start();
  t.is(active.node, 'a');
  await passive.until('to tell of the disagreement', ({ disagreements }) =>
    disagreements.some((each) => /lease time/.test(each)),
  );
  const controller = await active.controllerPid();
  const silentSince = performance.now();
  active.signalAll('SIGSTOP', controller);
  const status = await cluster.activeOn('b');
  const waitedMs = performance.now() - silentSince;
  active.signalAll('SIGCONT', controller);
  t.not(status.term, activeStatus.term);
  // Its own lease time would have let it claim after a fifth of that, but for what had gone by since the last renewal.
  t.true(waitedMs > 0.6 * activeStatus.timings.ttlMs, `${waitedMs} ms`);
  await cluster.settled();
});
