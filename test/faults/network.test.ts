import test from 'ava';
import { eventually, faultLasts } from '../support/cluster/eventually.ts';
import { termOf } from '../support/cluster.ts';
import { BUSY_MS } from './bounds.ts';
import { Scenario } from './scenario.ts';

/** The agents outlast everything here, and so do their runs. */
const begin = Scenario.shared(test, {
  linked: true,
  host: { agents: { lostAfter: '120s' } },
  agent: { retry: { every: '200ms', timeout: '250ms', limit: 1_000 } },
});

const losses = {
  'F39: an active that loses the database without a word': { cut: ['up', 'down'] },
  'F40: an active that the database refuses': { refuses: true },
  'F39: an active that the database hears but does not reach': { cut: ['down'] },
} as const;

for (const [title, conduct] of Object.entries(losses)) {
  test.serial(`${title} stops within T - M, and its peer serves in time`, async (t) => {
    const scenario = await begin(t);
    const { cluster, before, termBefore, bounds } = scenario;
    await scenario.submitTwenty();
    const cutAt = process.hrtime.bigint();
    cluster.links.database(before.active.node).set(conduct);
    await scenario.servedBy(before.passive.node, cutAt, bounds.silenceMs + BUSY_MS);
    scenario.silentSince(before.active.node, cutAt, bounds.fenceMs);
    cluster.heal();
    const { after, runs } = await scenario.judge();
    t.is(after.active.node, before.passive.node);
    t.is(termOf(after.activeStatus), termBefore + 1n);
    t.true(runs.every((run) => run.state === 'succeeded'));
  });
}

test.serial('F41: when only the link between the hosts is cut, nothing happens', async (t) => {
  const scenario = await begin(t);
  const { cluster, before } = scenario;
  await scenario.submitTwenty();
  for (const link of cluster.links.peers) link.blackhole();
  for (const host of cluster.hosts) {
    await host.until('to miss its peer', ({ peers }) => peers.every((peer) => !peer.reachable));
  }
  await faultLasts(3 * before.activeStatus.timings.ttlMs);
  await scenario.nothingHappened();
  cluster.heal();
  for (const host of cluster.hosts) {
    await host.until('to hear its peer', ({ peers }) => peers.every((peer) => peer.reachable));
  }
  await scenario.judge();
  await scenario.nothingHappened();
});

test.serial(
  'F42: a passive that is cut off from everything starts nothing and disturbs nobody',
  async (t) => {
    const scenario = await begin(t);
    const { cluster, before } = scenario;
    await scenario.submitTwenty();
    for (const link of cluster.links.of(before.passive.node)) link.blackhole();
    await before.passive.until('to miss its peer', ({ peers }) => peers.every((p) => !p.reachable));
    await faultLasts(3 * before.activeStatus.timings.ttlMs);
    t.is((await before.passive.status())?.role, 'passive');
    t.is((await before.passive.status())?.ready, false);
    await scenario.nothingHappened();
    cluster.heal();
    await scenario.judge();
    await scenario.nothingHappened();
  },
);

test.serial(
  'F43: an active that is cut off from everything stops within T - M, its peer serves in time',
  async (t) => {
    const scenario = await begin(t);
    const { cluster, before, termBefore, bounds } = scenario;
    await scenario.submitTwenty();
    const cutAt = process.hrtime.bigint();
    for (const link of cluster.links.of(before.active.node)) link.blackhole();
    await scenario.servedBy(before.passive.node, cutAt, bounds.silenceMs + BUSY_MS);
    scenario.silentSince(before.active.node, cutAt, bounds.fenceMs);
    cluster.heal();
    const { after, runs } = await scenario.judge();
    t.is(termOf(after.activeStatus), termBefore + 1n);
    t.true(runs.every((run) => run.state === 'succeeded'));
  },
);

test.serial(
  'F45: when both lose the database and each other, no one serves past T - M; one does after the heal',
  async (t) => {
    const scenario = await begin(t);
    const { cluster, before, termBefore, bounds } = scenario;
    await scenario.submitTwenty();
    const cutAt = process.hrtime.bigint();
    for (const host of cluster.hosts) {
      for (const link of cluster.links.of(host.node)) link.blackhole();
    }
    await before.active.until('to fence itself', (status) => status.role === 'passive');
    await faultLasts(before.activeStatus.timings.ttlMs);
    for (const host of cluster.hosts) scenario.silentSince(host.node, cutAt, bounds.fenceMs);
    cluster.heal();
    const healedAt = process.hrtime.bigint();
    const { after, runs } = await scenario.judge(healedAt);
    t.is(termOf(after.activeStatus), termBefore + 1n, 'one grant, no flapping');
    t.true(runs.every((run) => run.state === 'succeeded'));
  },
);

test.serial(
  'F47: a link to the database slower than usual, but faster than R, moves nobody',
  async (t) => {
    const scenario = await begin(t);
    const { cluster, before } = scenario;
    const { callTimeoutMs, ttlMs } = before.activeStatus.timings;
    for (const { node } of cluster.hosts) {
      cluster.links
        .database(node)
        .set({ delayMs: 0.1 * callTimeoutMs, jitterMs: 0.1 * callTimeoutMs });
    }
    await scenario.submitTwenty();
    await faultLasts(3 * ttlMs);
    await scenario.nothingHappened();
    cluster.heal();
    await scenario.judge();
    await scenario.nothingHappened();
  },
);

test.serial(
  'F47: an active whose database answers later than R is replaced once, and not again',
  async (t) => {
    const scenario = await begin(t);
    const { cluster, before, termBefore, bounds } = scenario;
    const { callTimeoutMs, ttlMs } = before.activeStatus.timings;
    await scenario.submitTwenty();
    const slowAt = process.hrtime.bigint();
    cluster.links.database(before.active.node).set({ delayMs: 2 * callTimeoutMs });
    await scenario.servedBy(before.passive.node, slowAt, bounds.silenceMs + BUSY_MS);
    await faultLasts(2 * ttlMs);
    t.is(termOf(await cluster.activeOn(before.passive.node)), termBefore + 1n);
    cluster.heal();
    const { after } = await scenario.judge();
    t.is(termOf(after.activeStatus), termBefore + 1n);
  },
);

test.serial(
  'F48: a link on which every tenth piece is lost and sent again moves nobody',
  async (t) => {
    const scenario = await begin(t);
    const { cluster, before } = scenario;
    await scenario.submitTwenty();
    for (const { node } of cluster.hosts) {
      cluster.links.database(node).set({ stallChance: 0.1, stallMs: 220 });
    }
    await faultLasts(3 * before.activeStatus.timings.ttlMs);
    await scenario.nothingHappened();
    cluster.heal();
    await scenario.judge();
    await scenario.nothingHappened();
  },
);

test.serial(
  'F49: renewals do not wait behind the bulk of the work on narrow connections',
  async (t) => {
    const scenario = await begin(t);
    const { cluster, before } = scenario;
    const [node, ttlMs] = [before.active.node, before.activeStatus.timings.ttlMs];
    cluster.links.database(node).set({ bytesPerSecond: 8_000 });
    const padding = 'x'.repeat(5_000);
    const bulk = Array.from({ length: 10 }, (_, index) =>
      cluster.client.submit('again', `bulk-${index}`, { LASTS: '0.1', PADDING: padding }),
    );
    await faultLasts(2 * ttlMs);
    await scenario.nothingHappened();
    cluster.heal();
    await Promise.all(bulk);
    await scenario.judge();
    await scenario.nothingHappened();
  },
);

for (const ending of ['reset', 'torn'] as const) {
  const how = ending === 'reset' ? 'whose answer is lost with its connection' : 'that is torn';
  test.serial(`F50: a commit ${how} is settled: each request made one run`, async (t) => {
    const scenario = await begin(t);
    const { cluster, before } = scenario;
    const link = cluster.links.database(before.active.node);
    const runsBefore = await scenario.runsOf('again');
    link.ambush('commit', ending);
    const submitted = await scenario.submit('again', 10, 0.2);
    t.true(link.sprung);
    await scenario.judge();
    const made = (await scenario.runsOf('again')).filter((id) => !runsBefore.includes(id));
    t.deepEqual(made.toSorted(), submitted.map((run) => run.id).toSorted());
    await scenario.nothingHappened();
  });
}

test.serial(
  'F51: transactions of a host that went dark hold up neither its successor nor anybody later',
  async (t) => {
    const scenario = await begin(t);
    const { cluster, before, bounds } = scenario;
    const { node } = before.active;
    const cutAt = process.hrtime.bigint();
    // The fence is taken and the answer never comes: its transaction stays open in the database.
    cluster.links.database(node).ambush('select fence(', 'silent');
    const submitted = scenario.submit('again', 5, 0.2);
    await eventually(() => (cluster.links.database(node).sprung ? true : null), {
      what: 'a fence',
    });
    cluster.links.database(node).blackhole();
    await scenario.servedBy(before.passive.node, cutAt, bounds.silenceMs + 2_300 + BUSY_MS);
    await submitted;
    cluster.heal();
    await scenario.judge();
    const stuck = await cluster.query(
      `select pid from pg_stat_activity
     where application_name like 'understudy%' and now() - xact_start > interval '3 s'`,
    );
    t.deepEqual(stuck, []);
  },
);

test.serial(
  'F52: a link that comes and goes changes the term once in two lease times at most',
  async (t) => {
    const scenario = await begin(t);
    const { cluster, before, termBefore } = scenario;
    const { ttlMs } = before.activeStatus.timings;
    const FLAPS = 6;
    for (let flap = 0; flap < FLAPS; flap++) {
      cluster.links.database(before.active.node).blackhole();
      await faultLasts(0.7 * ttlMs);
      cluster.heal();
      await faultLasts(0.7 * ttlMs);
    }
    const { after } = await scenario.judge();
    const changes = Number(termOf(after.activeStatus) - termBefore);
    t.true(changes <= (FLAPS * 1.4) / 2, `${changes} changes`);
  },
);

test.serial(
  'F54: when every connection to the database is cut, all are made anew and nobody moves',
  async (t) => {
    const scenario = await begin(t);
    const { cluster } = scenario;
    await scenario.submitTwenty();
    for (const { node } of cluster.hosts) cluster.links.database(node).reset();
    await scenario.judge();
    await scenario.nothingHappened();
  },
);

test.serial('F24: a renewal whose answer is lost changes nothing', async (t) => {
  const scenario = await begin(t);
  const { cluster, before } = scenario;
  const link = cluster.links.database(before.active.node);
  for (let lost = 0; lost < 3; lost++) {
    link.ambush('renew', 'silent');
    await eventually(() => (link.sprung ? true : null), { what: 'a renewal' });
  }
  await scenario.judge();
  await scenario.nothingHappened();
});

test.serial(
  'F23: a claim whose answer is lost is never guessed: the row tells, and one node serves',
  async (t) => {
    const scenario = await begin(t);
    const { cluster, before, termBefore, bounds } = scenario;
    const link = cluster.links.database(before.passive.node);
    link.ambush('lease_claim', 'silent');
    const killedAt = process.hrtime.bigint();
    await before.active.killHeartbeat();
    const promise = bounds.silenceMs + bounds.releasedMs + BUSY_MS;
    await scenario.servedBy(before.passive.node, killedAt, promise);
    t.true(link.sprung);
    before.active.start();
    const { after } = await scenario.judge();
    t.is(termOf(after.activeStatus), termBefore + 1n, 'the grant was used, not given away');
  },
);
