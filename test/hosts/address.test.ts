import type { ExecutionContext } from 'ava';
import { BUSY_MS } from '../faults/bounds.ts';
import { eventually, faultLasts } from '../support/cluster/eventually.ts';
import { signal } from '../support/cluster/proc.ts';
import type { Settled } from '../support/cluster.ts';
import type { AddressSampler } from '../support/hosts/sampler.ts';
import {
  addressesOf,
  answeredBy,
  judgeAddresses,
  keptForMs,
  OVERLAP_MS,
  onlyOn,
  urlsOf,
  watchBoth,
  withAddresses,
} from './addresses.ts';
import { stageOf } from './stage.ts';

const onHosts = stageOf(withAddresses);

/** The kernel alone takes the addresses away from a host that renews nothing since this instant. */
function judgeKept(
  t: ExecutionContext,
  samplers: readonly AddressSampler[],
  { active, activeStatus }: Settled,
  since: bigint,
): void {
  for (const sampler of samplers) {
    const keptMs = keptForMs(sampler, active.node, since);
    t.log(`kept for ${keptMs} ms, the lease lasts ${activeStatus.timings.ttlMs} ms`);
    t.true(keptMs <= activeStatus.timings.ttlMs + OVERLAP_MS, `${keptMs} ms`);
  }
}

onHosts(
  'F1: the controller crashes: both addresses go with the role, and are never on two hosts',
  async (t, stage) => {
    const { network, scenario, addUser } = stage;
    const { before, bounds } = scenario;
    const samplers = await watchBoth(stage);
    const users = urlsOf(network).map((url) => addUser(url));
    await scenario.submitTwenty();
    const at = process.hrtime.bigint();
    signal(await before.active.controllerPid(), 'SIGKILL');
    await scenario.servedBy(before.passive.node, at, bounds.releasedMs + BUSY_MS);
    await onlyOn(samplers, before.passive.node);
    for (const user of users) await answeredBy(user, before.passive.node);
    await scenario.judge();
    judgeAddresses(t, samplers, 0);
  },
);

onHosts(
  'F106, F18: a heartbeat is killed: the kernel takes the addresses from its host in time',
  async (t, stage) => {
    const { network, scenario, addUser } = stage;
    const { before } = scenario;
    const samplers = await watchBoth(stage);
    const users = urlsOf(network).map((url) => addUser(url));
    const at = process.hrtime.bigint();
    await before.active.killHeartbeat();
    await onlyOn(samplers, before.passive.node);
    judgeKept(t, samplers, before, at);
    for (const user of users) await answeredBy(user, before.passive.node);
    before.active.start();
    await scenario.judge();
    judgeAddresses(t, samplers, OVERLAP_MS);
  },
);

onHosts(
  'F32, F19: a host freezes and thaws: the kernel takes the addresses from it, and it does not get them back',
  async (t, stage) => {
    const { network, scenario, addUser } = stage;
    const { before } = scenario;
    const samplers = await watchBoth(stage);
    const users = urlsOf(network).map((url) => addUser(url));
    const pid = await before.active.controllerPid();
    const at = process.hrtime.bigint();
    before.active.signalAll('SIGSTOP', pid);
    await onlyOn(samplers, before.passive.node);
    judgeKept(t, samplers, before, at);
    for (const user of users) await answeredBy(user, before.passive.node);
    const frozen = samplers.map(({ samples }) => samples.length);
    await faultLasts(2 * before.activeStatus.timings.ttlMs);
    before.active.signalAll('SIGCONT', pid);
    await scenario.judge();
    judgeAddresses(t, samplers, OVERLAP_MS);
    const after = samplers.flatMap(({ samples }, index) => samples.slice(frozen[index]));
    t.deepEqual(
      after.filter(({ holders }) => holders.join() !== before.passive.node),
      [],
    );
  },
);

onHosts(
  'F43: a host that is cut off from everything drops the addresses itself',
  async (t, stage) => {
    const { network, scenario } = stage;
    const { before } = scenario;
    const samplers = await watchBoth(stage);
    network.host(before.active.node).setPlugged(false);
    await onlyOn(samplers, before.passive.node);
    network.host(before.active.node).setPlugged(true);
    await scenario.judge();
    judgeAddresses(t, samplers, OVERLAP_MS);
    await onlyOn(samplers, before.passive.node);
  },
);

onHosts(
  'F83: users under the addresses have no request that fails by a switch-over, not even in its first try',
  async (t, stage) => {
    const { network, scenario, addUser } = stage;
    const { before } = scenario;
    const samplers = await watchBoth(stage);
    const users = urlsOf(network).flatMap((url) => [
      addUser(url, { everyMs: 100 }),
      addUser(url, { everyMs: 100, keepsConnections: true }),
    ]);
    for (const user of users) await answeredBy(user, before.active.node);
    await eventually(
      async () => {
        const { code, stderr } = await scenario.cluster.command(['switchover']);
        // A peer that could not be asked in this moment is a reason to refuse.
        if (!/peer-not-ready|peer-unreachable/.test(stderr)) t.is(code, 0, stderr);
        return code === 0 ? true : null;
      },
      { what: 'the role to move' },
    );
    const at = process.hrtime.bigint();
    await onlyOn(samplers, before.passive.node);
    for (const user of users) await answeredBy(user, before.passive.node, at);
    await faultLasts(2_000);
    for (const user of users) {
      t.log(`${user.requests.length} requests`);
      t.deepEqual([...user.failed, ...user.repeated], []);
    }
    await scenario.judge();
    judgeAddresses(t, samplers, OVERLAP_MS);
  },
);

onHosts(
  'F107: an announcement of the address is lost: a later one is heard',
  async (t, { network, scenario, addUser, watch }) => {
    const { before } = scenario;
    const [address] = addressesOf(network);
    const ip = address.split('/', 1)[0] ?? '';
    const client = network.host('client');
    // The client is to learn of a change by announcements alone: it asks nobody by itself.
    client.run('sysctl', '-q', '-w', 'net.ipv4.neigh.eth0.base_reachable_time_ms=3600000');
    const user = addUser(urlsOf(network)[0]);
    await answeredBy(user, before.active.node);
    const neighbour = () => /lladdr (\S+)/.exec(client.run('ip', 'neigh', 'show', 'to', ip))?.[1];
    const old = neighbour();
    network.onSwitch(
      'nft',
      'add table bridge loss; ' +
        'add chain bridge loss forward { type filter hook forward priority 0; }; ' +
        `add rule bridge loss forward arp saddr ip ${ip} drop`,
    );
    t.teardown(() => network.onSwitch('nft', 'flush', 'ruleset'));
    const sampler = watch(address);
    signal(await before.active.controllerPid(), 'SIGKILL');
    await onlyOn([sampler], before.passive.node);
    await faultLasts(1_500);
    t.is(neighbour(), old, 'no announcement came through');
    t.deepEqual(user.answered(before.passive.node), []);
    network.onSwitch('nft', 'flush', 'ruleset');
    await eventually(() => (neighbour() === old ? null : true), { what: 'an announcement' });
    await answeredBy(user, before.passive.node);
    await scenario.judge();
  },
);

onHosts(
  'F113: an address that somebody else moves follows the lease all the same',
  async (t, stage) => {
    const { network, scenario } = stage;
    const { active, passive } = scenario.before;
    const samplers = await watchBoth(stage);
    const [four, six] = addressesOf(network);
    network.host(active.node).run('ip', 'addr', 'del', four, 'dev', 'eth0');
    network.host(passive.node).run('ip', 'addr', 'add', four, 'dev', 'eth0');
    network.host(passive.node).run('ip', 'addr', 'add', six, 'dev', 'eth0', 'nodad');
    await onlyOn(samplers, active.node);
    const kinds = await eventually(
      async () => {
        const found = await scenario.cluster.query<{ kind: string; node: string }>(
          "select kind, node from understudy.pair_event where kind in ('address-lost', 'address-found')",
        );
        return found.length < 2 ? null : found.map(({ kind, node }) => `${kind} on ${node}`);
      },
      { what: 'events that tell of it' },
    );
    t.true(kinds.includes(`address-lost on ${active.node}`));
    t.true(kinds.includes(`address-found on ${passive.node}`));
    await scenario.nothingHappened();
  },
);
