import { BUSY_MS } from '../faults/bounds.ts';
import { eventually, faultLasts } from '../support/cluster/eventually.ts';
import { termOf } from '../support/cluster.ts';
import {
  answeredBy,
  judgeAddresses,
  OVERLAP_MS,
  onlyOn,
  urlsOf,
  watchBoth,
  withAddresses,
} from './addresses.ts';
import { stageOf } from './stage.ts';

const onHosts = stageOf(withAddresses);

onHosts(
  'F51: connections of a host whose link is dead hold up nobody, and the database gives them up by itself',
  async (t, stage) => {
    const { network, scenario, addUser } = stage;
    const { cluster, before, bounds } = scenario;
    const { active, passive } = before;
    const samplers = await watchBoth(stage);
    const habits = { keepsConnections: true, everyMs: 400 };
    const users = urlsOf(network).map((url) => addUser(url, habits));
    await scenario.submitTwenty();
    for (const user of users) await answeredBy(user, active.node);
    const connectionsOf = async (node: string) => {
      const text = 'select pid from pg_stat_activity where client_addr = $1::inet';
      return (await cluster.query(text, [network.host(node).ip])).length;
    };
    t.true((await connectionsOf(active.node)) > 0);
    const cutAt = process.hrtime.bigint();
    network.host(active.node).setPlugged(false);
    t.teardown(() => network.host(active.node).setPlugged(true));
    // Writers of the lost host may hold the fence: they are ended by the claim (B_evict).
    await scenario.servedBy(passive.node, cutAt, bounds.silenceMs + 2_300 + BUSY_MS);
    for (const user of users) await answeredBy(user, passive.node, process.hrtime.bigint());
    await Promise.all(users.map((user) => user.stop()));
    await eventually(async () => ((await connectionsOf(active.node)) === 0 ? true : null), {
      what: 'the database to give up the connections of the lost host',
    });
    network.host(active.node).setPlugged(true);
    await scenario.judge();
    await onlyOn(samplers, passive.node);
    judgeAddresses(t, samplers, OVERLAP_MS);
  },
);

onHosts(
  'F52: a link that comes and goes changes the term once in two lease times at most',
  async (t, stage) => {
    const { network, scenario } = stage;
    const { active, activeStatus } = scenario.before;
    const { ttlMs } = activeStatus.timings;
    const FLAPS = 6;
    const samplers = await watchBoth(stage);
    t.teardown(() => network.host(active.node).setPlugged(true));
    for (let flap = 0; flap < FLAPS; flap++) {
      network.host(active.node).setPlugged(false);
      await faultLasts(0.7 * ttlMs);
      network.host(active.node).setPlugged(true);
      await faultLasts(0.7 * ttlMs);
    }
    const { after } = await scenario.judge();
    const changes = Number(termOf(after.activeStatus) - scenario.termBefore);
    t.log(`${changes} changes of the term`);
    t.true(changes <= (FLAPS * 1.4) / 2, `${changes} changes`);
    await onlyOn(samplers, after.active.node);
    judgeAddresses(t, samplers, OVERLAP_MS);
  },
);
