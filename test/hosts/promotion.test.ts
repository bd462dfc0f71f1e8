import { readProc } from '@understudy/shared/runtime/child';
import { eventually } from '../support/cluster/eventually.ts';
import { childrenOf, signal } from '../support/cluster/proc.ts';
import { addressFaults } from '../support/invariants/address.ts';
import {
  addressesOf,
  answeredBy,
  OVERLAP_MS,
  onlyOn,
  urlsOf,
  watchBoth,
  withAddresses,
} from './addresses.ts';
import { stageOf } from './stage.ts';

const onHosts = stageOf(withAddresses);

for (const place of ['before-address', 'after-address'] as const) {
  onHosts(
    `F25: a heartbeat dies ${place.replace('-', ' its ')}: another one serves, and the addresses do not stay behind`,
    async (t, stage) => {
      const { scenario } = stage;
      const { cluster, before, termBefore } = scenario;
      const { active, passive } = before;
      const samplers = await watchBoth(stage);
      cluster.armFailpoint(place);
      signal(await active.controllerPid(), 'SIGKILL');
      await passive.heartbeat.ended;
      t.true(cluster.failpointHit(place));
      passive.start();
      const after = await cluster.settled({ above: termBefore + 1n });
      await onlyOn(samplers, after.active.node);
      await scenario.judge();
      for (const { samples } of samplers) t.deepEqual(addressFaults(samples, OVERLAP_MS), []);
    },
  );
}

onHosts(
  'F25: a heartbeat dies behind a closed door in a switch-over: the kernel takes the addresses, and the door does not stay closed',
  async (t, stage) => {
    const { network, scenario, addUser } = stage;
    const { cluster, before, termBefore } = scenario;
    const { active, passive } = before;
    const samplers = await watchBoth(stage);
    cluster.armFailpoint('after-close');
    const ordered = cluster.command(['switchover'], passive.node);
    await active.heartbeat.ended;
    t.true(cluster.failpointHit('after-close'));
    await ordered;
    await onlyOn(samplers, passive.node);
    active.start();
    const back = await cluster.settled({ above: termBefore });
    t.is((await cluster.command(['switchover'], back.active.node)).code, 0);
    await onlyOn(samplers, active.node);
    // A host whose door had stayed closed would have them and take nobody in.
    for (const url of urlsOf(network)) await answeredBy(addUser(url), active.node);
    await scenario.judge();
    for (const { samples } of samplers) t.deepEqual(addressFaults(samples, OVERLAP_MS), []);
  },
);

onHosts(
  'an address that a heartbeat finds when it starts is removed, and `understudy address scrub` removes what is left',
  async (t, stage) => {
    const { network, scenario } = stage;
    const { active, passive } = scenario.before;
    const samplers = await watchBoth(stage);
    const [four, six] = addressesOf(network);
    const host = network.host(passive.node);
    const add = () => {
      for (const each of [four, six]) host.run('ip', 'addr', 'add', each, 'dev', 'eth0');
    };
    t.is(await passive.stop(), 0);
    add();
    await eventually(() => (samplers.every(({ holders }) => holders.length === 2) ? true : null), {
      what: 'both hosts to have the addresses',
    });
    const { code, stdout, stderr } = await passive.command(['address', 'scrub']);
    t.is(code, 0, stderr);
    t.is(stdout.trim(), `not on this host: ${four}, ${six}`);
    for (const { holders } of samplers) t.deepEqual(holders, [active.node]);
    add();
    passive.start();
    await onlyOn(samplers, active.node);
    await scenario.cluster.settled();
  },
);

onHosts(
  'a heartbeat waits for an interface that is not there yet, and says so',
  async (t, stage) => {
    const { network, scenario } = stage;
    const { active, passive } = scenario.before;
    const host = network.host(passive.node);
    t.is(await passive.stop(), 0);
    const vip = JSON.stringify({ address: addressesOf(network)[0], interface: 'late0' });
    passive.start(passive.options.log, ['--set', `vip=${vip}`]);
    const { notReady } = await passive.until('to say what it waits for', (view) =>
      view.notReady.some((reason) => reason.includes('late0')),
    );
    t.regex(notReady.join(), /the interface late0 of .* is not there/);
    host.run('ip', 'link', 'add', 'late0', 'type', 'veth', 'peer', 'name', 'late1');
    await scenario.cluster.settled({ active: active.node });
    t.is(await passive.stop(), 0);
    passive.start();
    await scenario.cluster.settled();
  },
);

onHosts(
  'a heartbeat that ends takes the addresses along, and one without a peer, too',
  async (t, stage) => {
    const { scenario } = stage;
    const { active, passive } = scenario.before;
    const samplers = await watchBoth(stage);
    t.is(await passive.stop(), 0);
    t.is(await active.stop(), 0);
    for (const { holders } of samplers) t.deepEqual(holders, []);
    active.start();
    passive.start();
    await scenario.cluster.settled();
    for (const { samples } of samplers) t.deepEqual(addressFaults(samples, 0), []);
  },
);

onHosts(
  'whoever is passive has the words that announce the addresses ready, also after it was active',
  async (t, stage) => {
    const { network, scenario } = stage;
    const { cluster, before, termBefore } = scenario;
    const { active, passive } = before;
    const readyOn = (host: typeof active) => {
      const commands = childrenOf(host.heartbeat.pid).map((pid) =>
        readProc(`/proc/${pid}/cmdline`),
      );
      return ['arping', 'ndptool'].every((name) =>
        commands.some((each) => each?.includes('read ') && each.includes(name)),
      );
    };
    const untilReadyOn = (host: typeof active) =>
      eventually(() => (readyOn(host) ? true : null), { what: `${host.node} to have them ready` });
    await untilReadyOn(passive);
    t.is((await cluster.command(['switchover'], active.node)).code, 0);
    await cluster.settled({ active: passive.node, above: termBefore });
    await untilReadyOn(active);
    for (const url of urlsOf(network)) await answeredBy(stage.addUser(url), passive.node);
  },
);
