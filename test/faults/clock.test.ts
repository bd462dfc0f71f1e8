import test from 'ava';
import { faultLasts } from '../support/cluster/eventually.ts';
import { childrenOf, signal } from '../support/cluster/proc.ts';
import { termOf } from '../support/cluster.ts';
import { BUSY_MS } from './bounds.ts';
import { Scenario } from './scenario.ts';
import { StoreClock } from './store-clock.ts';

const HOUR_MS = 3_600_000;

const begin = Scenario.shared(test, {
  unruly: true,
  host: { agents: { lostAfter: '120s' } },
  agent: { retry: { every: '200ms', timeout: '250ms', limit: 1_000 } },
});

for (const [direction, wallOffsetMs] of [
  ['ahead', HOUR_MS],
  ['back', -HOUR_MS],
] as const) {
  test.serial(
    `F77: the wall clocks of both hosts jump an hour ${direction}: nobody moves`,
    async (t) => {
      const scenario = await begin(t);
      const { cluster, before } = scenario;
      await scenario.submitTwenty();
      for (const { node } of cluster.hosts) cluster.unruly(node).setClock({ wallOffsetMs });
      await faultLasts(2 * before.activeStatus.timings.ttlMs);
      await scenario.nothingHappened();
      for (const { node } of cluster.hosts) cluster.unruly(node).behave();
      const { runs } = await scenario.judge();
      await scenario.nothingHappened();
      t.true(runs.every((run) => run.state === 'succeeded'));
    },
  );
}

test.serial(
  'F101: the clocks of agents are wrong by hours: durations and times are right all the same',
  async (t) => {
    const scenario = await begin(t);
    const { cluster } = scenario;
    cluster.unruly('w1').setClock({ wallOffsetMs: 5 * HOUR_MS });
    cluster.unruly('w2').setClock({ wallOffsetMs: -5 * HOUR_MS });
    const submitted = await scenario.submit('once', 10, 1);
    const { runs } = await scenario.judge();
    cluster.unruly('w1').behave();
    cluster.unruly('w2').behave();
    const mine = runs.filter(({ id }) => submitted.some((run) => run.id === id));
    for (const run of mine) {
      t.is(run.state, 'succeeded');
      const [created, started, finished] = [run.createdAt, run.startedAt, run.finishedAt].map(
        (text) => Date.parse(text ?? ''),
      );
      if (created === undefined || started === undefined || finished === undefined) return t.fail();
      t.true(started >= created - 100 && started < created + 60_000, 'it began when it began');
      t.true(finished - started > 900 && finished - started < 60_000, 'it took what it took');
    }
  },
);

for (const rate of [0.99, 1.01]) {
  test.serial(
    `F78: the clocks of the active run at ${rate} of their speed: within rho nobody moves, nothing overlaps`,
    async (t) => {
      const scenario = await begin(t);
      const { cluster, before, termBefore, bounds } = scenario;
      cluster.unruly(before.active.node).setClock({ rate });
      await scenario.submitTwenty();
      await faultLasts(2 * before.activeStatus.timings.ttlMs);
      await scenario.nothingHappened();
      const killedAt = process.hrtime.bigint();
      await before.active.killHeartbeat();
      await scenario.servedBy(before.passive.node, killedAt, bounds.silenceMs + BUSY_MS);
      cluster.unruly(before.active.node).behave();
      before.active.start();
      const { after } = await scenario.judge();
      t.is(termOf(after.activeStatus), termBefore + 1n);
    },
  );
}

for (const rate of [0.1, 10]) {
  test.serial(
    `F79: the clocks of the active run at ${rate} of their speed: whatever happens, no old term commits`,
    async (t) => {
      const scenario = await begin(t);
      const { cluster, before } = scenario;
      await scenario.submitTwenty();
      cluster.unruly(before.active.node).setClock({ rate });
      await faultLasts(2 * before.activeStatus.timings.ttlMs);
      // A monotonic clock that goes back exists only here: no process lives to see it.
      await before.active.killHeartbeat();
      cluster.unruly(before.active.node).behave();
      before.active.start();
      const found = await scenario.storeFaults();
      t.deepEqual(found, []);
      await scenario.judge();
    },
  );
}

test.serial(
  'F33: a host that was suspended, its monotonic clock with it, commits nothing when it wakes',
  async (t) => {
    const scenario = await begin(t);
    const { cluster, before, termBefore, bounds } = scenario;
    const { ttlMs } = before.activeStatus.timings;
    await scenario.submitTwenty();
    const controller = await before.active.controllerPid();
    const suspendedAt = process.hrtime.bigint();
    before.active.signalAll('SIGSTOP', controller);
    await scenario.servedBy(before.passive.node, suspendedAt, bounds.silenceMs + BUSY_MS);
    await faultLasts(ttlMs);
    // What it missed did not happen for its monotonic clock: by that alone its lease is as good as ever.
    const missedMs = Number(process.hrtime.bigint() - suspendedAt) / 1e6;
    cluster.unruly(before.active.node).setClock({ monotonicOffsetMs: -missedMs });
    before.active.signalAll('SIGCONT', controller);
    await before.active.until('to see that it lost the lease', ({ role }) => role === 'passive');
    const { after, runs } = await scenario.judge();
    t.is(termOf(after.activeStatus), termBefore + 1n);
    t.true(runs.every((run) => run.state === 'succeeded'));
    before.active.heartbeat.signal('SIGKILL');
    await before.active.heartbeat.ended;
    cluster.unruly(before.active.node).behave();
    before.active.start();
  },
);

for (const [when, wallMs] of [
  ['before 1970', Date.UTC(1965, 5, 1)],
  ['after 2038', Date.UTC(2051, 5, 1)],
] as const) {
  test.serial(
    `F82: a host whose clock says that it is ${when} starts, takes over and works`,
    async (t) => {
      const scenario = await begin(t);
      const { cluster, before } = scenario;
      await before.passive.stop();
      cluster.unruly(before.passive.node).setClock({ wallOffsetMs: wallMs - Date.now() });
      before.passive.start();
      await cluster.settled();
      await before.active.stop();
      await cluster.activeOn(before.passive.node);
      const submitted = await scenario.submit('again', 5, 0.2);
      before.active.start();
      const { runs } = await scenario.judge();
      const mine = runs.filter(({ id }) => submitted.some((run) => run.id === id));
      t.true(mine.every((run) => run.state === 'succeeded'));
      cluster.unruly(before.passive.node).behave();
      await before.passive.stop();
      before.passive.start();
      await scenario.judge();
    },
  );
}

test.serial(
  'F75: the clock of the database jumps an hour ahead: no claim comes before the lease time is over here',
  async (t) => {
    const scenario = await begin(t);
    const { cluster } = scenario;
    const clock = await StoreClock.install(cluster);
    await scenario.submitTwenty();
    await clock.shift(HOUR_MS);
    await scenario.judge();
    t.pass();
  },
);

test.serial(
  'F76: the clock of the database jumps an hour back: an active stays, a dead one is replaced after 3 T',
  async (t) => {
    const scenario = await begin(t);
    const { cluster, before, bounds } = scenario;
    const { ttlMs, clockRateBound } = before.activeStatus.timings;
    const clock = await StoreClock.install(cluster);
    await scenario.submitTwenty();
    // The row was written an hour ahead of what the clock will say.
    await clock.shift(0);
    await faultLasts(ttlMs);
    await scenario.nothingHappened();
    const frozen = [before.active.heartbeat.pid, ...childrenOf(before.active.heartbeat.pid)];
    for (const pid of frozen) signal(pid, 'SIGSTOP');
    await clock.shift(-HOUR_MS);
    const at = process.hrtime.bigint();
    const boundMs = 2 * ttlMs * (1 + clockRateBound) + bounds.silenceMs;
    await scenario.servedBy(before.passive.node, at, boundMs + BUSY_MS);
    for (const pid of frozen) signal(pid, 'SIGCONT');
    await scenario.judge();
    t.pass();
  },
);
