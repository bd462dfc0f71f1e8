import test from 'ava';
import { eventually, faultLasts } from '../support/cluster/eventually.ts';
import { type Cluster, makeCluster, termOf } from '../support/cluster.ts';
import { askDuringSwitchOver } from './ask-during-switch-over.ts';
import { Scenario } from './scenario.ts';

/** Asks a heartbeat, with the token. */
async function order(cluster: Cluster, node: string, path: string, body: object = {}) {
  const response = await fetch(`${cluster.host(node).options.heartbeatUrl}${path}`, {
    method: 'POST',
    headers: {
      authorization: `${path.startsWith('/rest/') ? 'token' : 'Bearer'} ${cluster.facts.token}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify(body),
  });
  return { status: response.status, text: await response.text() };
}

test('F83: no request fails in a switch-over under load, at the port of the old active', async (t) => {
  const scenario = await Scenario.begin(t);
  const { cluster, before, termBefore } = scenario;
  await scenario.submitTwenty();
  const url = before.active.options.controllerUrl;
  const { code, stdout, statuses } = await askDuringSwitchOver(cluster, url);
  t.is(code, 0, stdout);
  const failed = statuses.filter((status) => status === null || status >= 300);
  t.deepEqual(failed, [], `of ${statuses.length}`);
  t.true(statuses.length > 10);
  t.is(await cluster.basisOf(termBefore + 1n), 'handed-over');
  const { after } = await scenario.judge();
  t.is(after.active.node, before.passive.node);
});

test('F84: a switch-over to a peer that is not fit is refused before anything stops', async (t) => {
  const scenario = await Scenario.begin(t);
  const { cluster, before, termBefore } = scenario;
  await before.passive.stop();
  const { code, stderr } = await cluster.command(['switchover'], before.active.node);
  t.is(code, 1);
  t.regex(stderr, /no peer is ready/);
  t.is(
    termOf(await before.active.until('to serve on', ({ phase }) => phase === 'serving')),
    termBefore,
  );
  before.passive.start();
  await scenario.judge();
});

test('F88: in a pause the passive leaves a dead active dead, and takes over when it ends', async (t) => {
  const scenario = await Scenario.begin(t);
  const { cluster, before, termBefore } = scenario;
  const { active, passive } = before;
  t.is((await cluster.command(['pause', '--for', '10m'])).code, 0);
  await passive.until('to know of the pause', ({ paused }) => paused);
  await active.killHeartbeat();
  await faultLasts(4 * before.activeStatus.timings.ttlMs);
  t.is((await passive.status())?.role, 'passive');
  await scenario.statusExits(2, passive.node);
  t.is((await cluster.command(['resume'], passive.node)).code, 0);
  await cluster.activeOn(passive.node);
  active.start();
  const { after } = await scenario.judge();
  t.is(termOf(after.activeStatus), termBefore + 1n);
});

test('S1, S2, S3: in manual mode operators promote, and a main told to step down ends with 0', async (t) => {
  const cluster = await makeCluster(t, {
    agents: [],
    host: { failover: { target: '4s', mode: 'manual' } },
  });
  for (const host of cluster.hosts) host.start();
  for (const host of cluster.hosts) await host.until('to be ready', ({ ready }) => ready);
  await faultLasts(3_000);
  for (const host of cluster.hosts) t.is((await host.status())?.role, 'passive');
  t.is((await order(cluster, 'b', '/rest/ha/status?change=MAIN')).text, 'MAIN');
  await cluster.activeOn('b');
  t.is((await order(cluster, 'b', '/rest/ha/status?change=BACKUP')).text, 'BACKUP');
  t.is(await cluster.host('b').heartbeat.ended, 0);
  await faultLasts(3_000);
  t.is((await cluster.host('a').status())?.role, 'passive');
  t.is((await order(cluster, 'a', '/switchover')).status, 200);
  await cluster.activeOn('a');
});

test('H7: a preferred node gets the role back once it was ready for long enough, by a switch-over', async (t) => {
  const scenario = await Scenario.begin(t, {
    each: { a: { failover: { target: '4s', preferred: true, failback: '3s' } } },
  });
  const { cluster, termBefore } = scenario;
  await cluster.host('a').killHeartbeat();
  await cluster.activeOn('b');
  cluster.host('a').start();
  await eventually(
    async () => ((await cluster.host('a').status())?.phase === 'serving' ? true : null),
    { what: 'a to be active again' },
  );
  t.is(await cluster.basisOf(termBefore + 2n), 'handed-over');
  await scenario.judge();
});

test('H1: of three nodes one is active; another takes over, and failsafe needs the consent of both', async (t) => {
  const scenario = await Scenario.begin(t, { hosts: ['a', 'b', 'c'] });
  const { cluster, before, termBefore } = scenario;
  await scenario.submitTwenty();
  await before.active.killHeartbeat();
  const next = await cluster.settled({ above: termBefore });
  before.active.start();
  for (const host of cluster.hosts) {
    if (host !== next.active) await host.until('to be ready', ({ ready }) => ready);
  }
  await cluster.postgres.kill();
  await next.active.until('to be in failsafe', ({ failsafe }) => failsafe);
  await before.active.killHeartbeat();
  await next.active.until('to fence itself', ({ role }) => role === 'passive');
  await cluster.postgres.restart();
  before.active.start();
  await scenario.judge();
});
