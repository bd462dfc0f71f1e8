import type { DeliveryView } from '@understudy/shared/protocol/hooks';
import test from 'ava';
import { Receiver } from '../contract/history/receiver.ts';
import { eventually } from '../support/cluster/eventually.ts';
import { takePort } from '../support/cluster/ports.ts';
import { Scenario } from './scenario.ts';

test('what nobody heard before a fail-over is told after it, with the fail-over itself, once', async (t) => {
  const scenario = await Scenario.begin(t);
  const { cluster, before } = scenario;
  const { client } = cluster;
  // Nobody listens there yet.
  const port = await takePort();
  const url = `http://127.0.0.1:${port}/hook`;
  const secret = 'a-secret-of-the-tests';
  const args = ['hook', 'set', 'oncall', '--url', url, '--secret', secret];
  const events = ['--event', 'run.failed,pair.failover'];
  t.is((await cluster.command([...args, ...events])).code, 0);
  await client.putJob({ name: 'fails', command: ['sh', '-c', 'exit 7'] });
  const run = await client.submit('fails', 'only');
  const deliveries = async (): Promise<readonly DeliveryView[]> => {
    const page = await client.request('GET', '/api/v1/hooks/oncall/deliveries');
    return (page as { items: readonly DeliveryView[] }).items;
  };
  const tried = await eventually(
    async () => (await deliveries()).find(({ attempts }) => attempts > 0) ?? null,
    { what: 'the hook to be tried in vain' },
  );
  t.like(tried, { event: 'run.failed', state: 'pending', subject: run.id });
  await before.active.killHeartbeat();
  await cluster.activeOn(before.passive.node);
  const receiver = await Receiver.open(t, port);
  const told = await receiver.first(({ notice }) => notice.event === 'run.failed');
  t.like(told.notice, { id: tried.id, subject: run.id });
  const moved = await receiver.first(({ notice }) => notice.event === 'pair.failover');
  t.like(moved.notice, { subject: before.passive.node });
  t.like(moved.notice.facts, { from: before.active.node, to: before.passive.node });
  before.active.start();
  await scenario.judge();
  await eventually(
    async () => ((await deliveries()).every(({ state }) => state === 'delivered') ? true : null),
    { what: 'all deliveries to be recorded' },
  );
  // A switch-over is asked for: nobody is told of a fail-over.
  t.is((await cluster.command(['switchover'], before.passive.node)).code, 0);
  await cluster.settled({ active: before.active.node });
  const again = await client.submit('fails', 'again');
  await receiver.first(({ notice }) => notice.subject === again.id);
  const failovers = receiver.received.filter(({ notice }) => notice.event === 'pair.failover');
  t.is(new Set(failovers.map(({ notice }) => notice.id)).size, 1);
});
