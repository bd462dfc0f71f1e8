import { BUSY_MS } from '../faults/bounds.ts';
import { eventually } from '../support/cluster/eventually.ts';
import { stageOf } from './stage.ts';

const onHosts = stageOf();

onHosts(
  'F30: a host is lost behind a dead link, without a goodbye of any connection',
  async (t, { network, scenario, addUser }) => {
    const { cluster, before, bounds, termBefore } = scenario;
    const [active, passive] = [before.active.node, before.passive.node];
    const user = addUser(before.passive.options.controllerUrl);
    await scenario.submitTwenty();
    const at = process.hrtime.bigint();
    network.host(active).setPlugged(false);
    await before.active.killHeartbeat();
    await scenario.servedBy(passive, at, bounds.silenceMs + BUSY_MS);
    t.is(await cluster.basisOf(termBefore + 1n), 'silence');
    await eventually(() => (user.answered(passive).length > 0 ? true : null), {
      what: `the user to be answered by ${passive}`,
    });
    network.host(active).setPlugged(true);
    before.active.start();
    await scenario.judge();
  },
);
