import test from 'ava';
import { faultLasts } from '../support/cluster/eventually.ts';
import { termOf } from '../support/cluster.ts';
import { Scenario } from './scenario.ts';

test('F41: when only the link between the hosts is cut, nothing happens', async (t) => {
  const scenario = await Scenario.begin(t, { linked: true });
  const { cluster, before, termBefore } = scenario;
  await scenario.submitTwenty();
  for (const link of cluster.links.peers) link.blackhole();
  for (const host of cluster.hosts) {
    await host.until('to miss its peer', ({ peers }) => peers.every((peer) => !peer.reachable));
  }
  await faultLasts(3 * before.activeStatus.timings.ttlMs);
  const during = await cluster.activeOn(before.active.node);
  t.is(termOf(during), termBefore);
  for (const link of cluster.links.peers) link.heal();
  for (const host of cluster.hosts) {
    await host.until('to hear its peer', ({ peers }) => peers.every((peer) => peer.reachable));
  }
  const { after, runs } = await scenario.judge();
  t.is(after.active.node, before.active.node);
  t.is(termOf(after.activeStatus), termBefore);
  t.true(runs.every((run) => run.state === 'succeeded'));
});
