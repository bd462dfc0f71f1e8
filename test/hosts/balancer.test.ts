import { putBehind } from '../faults/balancer/behind.ts';
import { BUSY_MS } from '../faults/bounds.ts';
import { needingRoot } from '../support/balancer/needing.ts';
import { failedOf } from '../support/balancer/users.ts';
import { eventually, faultLasts } from '../support/cluster/eventually.ts';
import { servingFaults } from '../support/invariants/service.ts';
import { stageOf } from './stage.ts';

const onHosts = stageOf();

onHosts(
  'F30, F51: users of a host that is lost behind a dead link are cut off by HAProxy on another host, and go on with its peer',
  async (t, { network, scenario }) => {
    await needingRoot(['haproxy'], async () => {
      const { cluster, before, bounds } = scenario;
      const { active, passive } = before;
      const { haproxy, users } = await putBehind(t, cluster);
      // What begins before its first look is cut off by the kernel alone, later.
      await eventually(
        () => (/Server controllers\/\S+ is stopping/.test(haproxy.said) ? true : null),
        {
          what: 'HAProxy to know who is not active',
        },
      );
      const stream = await openStream(`${haproxy.url}/api/v1/events/stream`, cluster.facts.token);
      const load = users.start(20);
      await faultLasts(1_000);
      t.teardown(() => network.host(active.node).setPlugged(true));
      const lostAt = process.hrtime.bigint();
      network.host(active.node).setPlugged(false);
      await scenario.servedBy(passive.node, lostAt, bounds.silenceMs + 2_300 + BUSY_MS);
      await eventually(() => (stream.isOver ? true : null), {
        what: 'the stream of the lost host to end',
      });
      t.log(`the stream ended after ${(process.hrtime.bigint() - lostAt) / 1_000_000n} ms`);
      const during = await load.stop();
      t.deepEqual(
        during.filter(({ text }) => text.startsWith('waited')),
        [],
        'nobody is left waiting for the lost host',
      );
      t.deepEqual(servingFaults(during.flatMap(({ served }) => served ?? [])), []);
      const afterwards = users.start(50);
      await faultLasts(1_500);
      const asked = await afterwards.stop();
      t.deepEqual(failedOf(asked), [], `of ${asked.length}`);
      t.true(asked.every(({ served }) => served?.node === passive.node));
      network.host(active.node).setPlugged(true);
      await scenario.judge();
    })(t);
  },
);

/** Follows a stream that has no end of its own. */
async function openStream(url: string, token: string): Promise<{ readonly isOver: boolean }> {
  const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
  const state = { isOver: false };
  const read = async () => {
    const reader = response.body?.getReader();
    while (reader !== undefined && !(await reader.read()).done);
  };
  void read()
    .catch(() => undefined)
    .finally(() => {
      state.isOver = true;
    });
  return state;
}
