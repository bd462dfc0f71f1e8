import { faultLasts } from '../support/cluster/eventually.ts';
import { termOf } from '../support/cluster.ts';
import { judgeAddresses, OVERLAP_MS, onlyOn, watchBoth, withAddresses } from './addresses.ts';
import { makeCuts } from './cuts.ts';
import { stageOf } from './stage.ts';

const onHosts = stageOf(withAddresses);

// All that passes through a narrow cable waits in one queue, where no program can put its renewals before the rest; that
// they do not wait behind the bulk of their own connection is shown in test/faults.
onHosts(
  'F49: an active whose own work fills its 64 kbit/s to the database loses the role once at most, and no run',
  async (t, stage) => {
    const { network, scenario } = stage;
    const { cluster, before, termBefore } = scenario;
    const samplers = await watchBoth(stage);
    const to = { ip: network.own, port: cluster.postgres.port };
    const widen = network.host(before.active.node).narrow(to, 64_000);
    t.teardown(widen);
    const padding = 'x'.repeat(5_000);
    const bulk = Array.from({ length: 10 }, (_, index) =>
      cluster.client.submit('again', `narrow-${index}`, { LASTS: '0.1', PADDING: padding }),
    );
    await faultLasts(6 * before.activeStatus.timings.ttlMs);
    const { activeStatus } = await cluster.settled();
    const changes = termOf(activeStatus) - termBefore;
    t.log(`${changes} changes of the term`);
    t.true(changes <= 1n, `${changes} changes`);
    widen();
    await Promise.all(bulk);
    const { after, runs } = await scenario.judge();
    t.true(runs.every((run) => run.state === 'succeeded'));
    await onlyOn(samplers, after.active.node);
    judgeAddresses(t, samplers, OVERLAP_MS);
  },
);

onHosts(
  'F48: where one of ten packets to the database is lost, and one of ten from there, nobody moves',
  async (t, stage) => {
    const { scenario } = stage;
    const { cluster, before } = scenario;
    const cuts = makeCuts(t, stage);
    const samplers = await watchBoth(stage);
    for (const { node } of cluster.hosts) cuts.filterOf(node).lose(cuts.database, 10);
    await scenario.submitTwenty();
    await faultLasts(4 * before.activeStatus.timings.ttlMs);
    await scenario.nothingHappened();
    cuts.heal();
    await scenario.judge();
    await scenario.nothingHappened();
    await onlyOn(samplers, before.active.node);
  },
);
