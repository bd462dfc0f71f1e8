import type { ExecutionContext } from 'ava';
import { BUSY_MS } from '../faults/bounds.ts';
import { faultLasts } from '../support/cluster/eventually.ts';
import type { AddressSampler } from '../support/hosts/sampler.ts';
import { lastHeldAt } from '../support/invariants/address.ts';
import {
  answeredBy,
  judgeAddresses,
  OVERLAP_MS,
  onlyOn,
  urlsOf,
  watchBoth,
  withAddresses,
} from './addresses.ts';
import { type Cuts, makeCuts } from './cuts.ts';
import { type Stage, stageOf } from './stage.ts';

const onHosts = stageOf(withAddresses);

/** The old active fenced itself and let its addresses go in time, the other one serves under them. */
async function movesInTime(t: ExecutionContext, stage: Stage, cut: () => void): Promise<void> {
  const { scenario, addUser } = stage;
  const { before, bounds } = scenario;
  const samplers = await watchBoth(stage);
  // Each run is a process: more of them would be one more fault.
  const users = urlsOf(stage.network).map((url) => addUser(url, { everyMs: 400 }));
  await scenario.submitTwenty();
  cut();
  // A filter takes a moment to set: until then renewals come through.
  const cutAt = process.hrtime.bigint();
  await scenario.servedBy(before.passive.node, cutAt, bounds.silenceMs + BUSY_MS);
  scenario.silentSince(before.active.node, cutAt, bounds.fenceMs);
  await onlyOn(samplers, before.passive.node);
  for (const user of users) await answeredBy(user, before.passive.node);
  await Promise.all(users.map((user) => user.stop()));
  goneInTime(t, samplers, before.active.node, cutAt + toNs(bounds.fenceMs + BUSY_MS));
}

/** A pair whose agents work and whose addresses are watched, before anything is cut. */
async function atWork(t: ExecutionContext, stage: Stage) {
  const cuts = makeCuts(t, stage);
  const samplers = await watchBoth(stage);
  await stage.scenario.submitTwenty();
  return { cuts, samplers };
}

/** The end of a fault in which nobody moves, nor when it is healed. */
async function endsUnmoved({ scenario }: Stage, cuts: Cuts): Promise<void> {
  await scenario.nothingHappened();
  cuts.heal();
  await scenario.judge();
  await scenario.nothingHappened();
}

function goneInTime(
  t: ExecutionContext,
  samplers: readonly AddressSampler[],
  node: string,
  until: bigint,
): void {
  for (const { samples } of samplers) {
    const lateMs = Number((lastHeldAt(samples, node) ?? until) - until) / 1e6;
    t.true(lateMs <= 0, `${node} had an address for ${lateMs} ms too long`);
  }
}

const losses = {
  'F39: an active that loses database and peer without a word': 'cut',
  'F39: an active that the database and the peer hear, but do not reach': 'deaf',
  'F40: an active whose connections to the database are reset, and that has no peer': 'reset',
} as const;

for (const [title, how] of Object.entries(losses)) {
  onHosts(`${title} lets its addresses go, and its peer has them in time`, async (t, stage) => {
    const { scenario } = stage;
    const { active, passive } = scenario.before;
    const cuts = makeCuts(t, stage);
    const filter = cuts.filterOf(active.node);
    await movesInTime(t, stage, () => {
      filter.cut(cuts.host(passive.node), how === 'deaf' ? ['in'] : undefined);
      if (how === 'reset') filter.refuse(cuts.database);
      else filter.cut(cuts.database, how === 'deaf' ? ['in'] : undefined);
    });
    t.is(await scenario.cluster.basisOf(scenario.termBefore + 1n), 'silence');
    cuts.heal();
    const { runs } = await scenario.judge();
    t.true(runs.every((run) => run.state === 'succeeded'));
  });
}

onHosts(
  'F46: an active that loses the database alone does not get the consent of a peer that has it',
  async (t, stage) => {
    const { scenario } = stage;
    const { node } = scenario.before.active;
    const cuts = makeCuts(t, stage);
    const refusals = () => scenario.logLines(node, 'why=store-fine').length;
    const refusedBefore = refusals();
    await movesInTime(t, stage, () => cuts.filterOf(node).cut(cuts.database));
    t.true(refusals() > refusedBefore);
    t.not(await scenario.cluster.basisOf(scenario.termBefore + 1n), 'released');
    cuts.heal();
    await scenario.judge();
  },
);

onHosts(
  'F43: an active that is cut off from everything lets its addresses go, and its peer has them in time',
  async (t, stage) => {
    const { scenario } = stage;
    const cuts = makeCuts(t, stage);
    const samplers = await watchBoth(stage);
    await movesInTime(t, stage, () => cuts.isolate(scenario.before.active.node));
    t.is(await scenario.cluster.basisOf(scenario.termBefore + 1n), 'silence');
    cuts.heal();
    const { runs } = await scenario.judge();
    t.true(runs.every((run) => run.state === 'succeeded'));
    judgeAddresses(t, samplers, OVERLAP_MS);
  },
);

onHosts(
  'F41: when the hosts lose each other alone, neither role nor address moves',
  async (t, stage) => {
    const { scenario } = stage;
    const { cluster, before } = scenario;
    const { cuts, samplers } = await atWork(t, stage);
    cuts.filterOf(before.active.node).cut(cuts.host(before.passive.node));
    for (const host of cluster.hosts) {
      await host.until('to miss its peer', ({ peers }) => peers.every((peer) => !peer.reachable));
    }
    await faultLasts(3 * before.activeStatus.timings.ttlMs);
    await endsUnmoved(stage, cuts);
    await onlyOn(samplers, before.active.node);
  },
);

onHosts(
  'F42: a passive that is cut off from everything takes neither role nor address',
  async (t, stage) => {
    const { scenario } = stage;
    const { before } = scenario;
    const { cuts, samplers } = await atWork(t, stage);
    cuts.isolate(before.passive.node);
    await before.passive.until('to miss its peer', ({ peers }) => peers.every((p) => !p.reachable));
    await faultLasts(3 * before.activeStatus.timings.ttlMs);
    const status = await before.passive.status();
    t.is(status?.role, 'passive');
    t.is(status?.ready, false);
    for (const { samples } of samplers) t.is(lastHeldAt(samples, before.passive.node), null);
    await endsUnmoved(stage, cuts);
  },
);

onHosts(
  'F44: when both lose the database and have each other, role and addresses stay where they are',
  async (t, stage) => {
    const { scenario } = stage;
    const { cluster, before } = scenario;
    const { cuts, samplers } = await atWork(t, stage);
    for (const { node } of cluster.hosts) cuts.filterOf(node).cut(cuts.database);
    await before.active.until('to be in failsafe', ({ failsafe }) => failsafe);
    await faultLasts(2 * before.activeStatus.timings.ttlMs);
    t.true((await before.active.status())?.failsafe);
    for (const { samples } of samplers) t.is(lastHeldAt(samples, before.passive.node), null);
    await endsUnmoved(stage, cuts);
    await onlyOn(samplers, before.active.node);
  },
);

onHosts(
  'F45: when both lose the database and each other, nobody has the addresses past T - M',
  async (t, stage) => {
    const { scenario } = stage;
    const { cluster, before, bounds, termBefore } = scenario;
    const { cuts, samplers } = await atWork(t, stage);
    for (const { node } of cluster.hosts) cuts.isolate(node);
    const cutAt = process.hrtime.bigint();
    await before.active.until('to fence itself', (status) => status.role === 'passive');
    await faultLasts(before.activeStatus.timings.ttlMs);
    for (const { node } of cluster.hosts) {
      scenario.silentSince(node, cutAt, bounds.fenceMs);
      goneInTime(t, samplers, node, cutAt + toNs(bounds.fenceMs + BUSY_MS));
    }
    for (const { holders } of samplers) t.deepEqual(holders, []);
    cuts.heal();
    const { after } = await scenario.judge(process.hrtime.bigint());
    t.is(BigInt(after.activeStatus.term ?? '0'), termBefore + 1n, 'one grant, no flapping');
    await onlyOn(samplers, after.active.node);
    judgeAddresses(t, samplers, 0);
  },
);

onHosts(
  'F54: connections to the database that are forgotten on their way are made anew, and nobody moves',
  async (t, stage) => {
    const { scenario } = stage;
    const cuts = makeCuts(t, stage);
    await scenario.submitTwenty();
    for (const { node } of scenario.cluster.hosts) {
      t.true(cuts.filterOf(node).forget(cuts.database) > 0);
    }
    await faultLasts(2 * scenario.before.activeStatus.timings.ttlMs);
    await scenario.nothingHappened();
    // What was forgotten stays so: nothing is healed before it is judged.
    await scenario.judge();
    await scenario.nothingHappened();
    cuts.heal();
  },
);

function toNs(ms: number): bigint {
  return BigInt(Math.round(ms)) * 1_000_000n;
}
