import test from 'ava';
import { eventually, faultLasts } from '../support/cluster/eventually.ts';
import { limitDescriptors } from '../support/cluster/limits.ts';
import { termOf } from '../support/cluster.ts';
import type { Mischief } from '../support/preload/mischief.ts';
import { BUSY_MS } from './bounds.ts';
import { Scenario } from './scenario.ts';

const begin = Scenario.shared(test, {
  unruly: true,
  host: { agents: { lostAfter: '120s' } },
  agent: { retry: { every: '200ms', timeout: '250ms', limit: 1_000 } },
});

/** As the heartbeat's checks are set: so long may it take until one that does not answer is given up. */
const HEALTH_MS = 4_000;

const mischiefs: Readonly<Record<string, Mischief>> = {
  'F17: a controller in which a promise is rejected that nobody waits for': 'reject',
  'F17: a controller in which something is thrown that nobody catches': 'throw',
  'F9: a controller that runs out of memory': 'leak',
  'F27: a controller that takes requests and answers none, its health check among them,': 'deaf',
  'F12: a controller whose port was closed by accident, though it answers whoever is connected,':
    'shut-door',
};

for (const [title, mischief] of Object.entries(mischiefs)) {
  test.serial(`${title} is replaced in time`, async (t) => {
    const scenario = await begin(t);
    const { cluster, before, termBefore, bounds } = scenario;
    await scenario.submitTwenty();
    const at = process.hrtime.bigint();
    const pid = await before.active.controllerPid();
    cluster.unruly(before.active.node).now(pid, mischief);
    // Filling the memory takes a while by itself.
    const slackMs = mischief === 'leak' ? 20_000 : BUSY_MS;
    await scenario.servedBy(before.passive.node, at, HEALTH_MS + bounds.releasedMs + slackMs);
    t.is(await cluster.basisOf(termBefore + 1n), 'released');
    cluster.unruly(before.active.node).behave();
    const { runs } = await scenario.judge();
    t.true(runs.every((run) => run.state === 'succeeded'));
  });
}

test.serial(
  'F12: a controller without descriptors left is replaced in time, by a heartbeat that has its own',
  async (t) => {
    const scenario = await begin(t);
    const { cluster, before, termBefore, bounds } = scenario;
    await scenario.submitTwenty();
    const at = process.hrtime.bigint();
    limitDescriptors(await before.active.controllerPid());
    await scenario.servedBy(before.passive.node, at, HEALTH_MS + bounds.releasedMs + BUSY_MS);
    t.is(await cluster.basisOf(termBefore + 1n), 'released');
    const { runs } = await scenario.judge();
    t.true(runs.every((run) => run.state === 'succeeded'));
  },
);

test.serial(
  'F10: a controller that crashes at each start is tried more and more rarely, and the role stays where it is',
  async (t) => {
    const scenario = await begin(t);
    const { cluster, before } = scenario;
    const { passive } = before;
    cluster.unruly(passive.node).whenItStarts('crash-at-start');
    const startsBefore = scenario.logLines(passive.node, 'starts the controller').length;
    // It dies as a warm one, then at each start.
    process.kill(await passive.controllerPid(), 'SIGKILL');
    await passive.until('to say that it is not ready', ({ ready }) => !ready);
    await faultLasts(3 * before.activeStatus.timings.ttlMs);
    const starts = scenario.logLines(passive.node, 'starts the controller').length - startsBefore;
    t.true(starts >= 3 && starts <= 7, `${starts} starts`);
    t.true((await passive.status())?.notReady.join().includes('controller'));
    await scenario.nothingHappened();
    cluster.unruly(passive.node).behave();
    await scenario.judge();
    await scenario.nothingHappened();
  },
);

test.serial(
  'F10: when the active crashes and can not start again, the role moves once',
  async (t) => {
    const scenario = await begin(t);
    const { cluster, before, termBefore } = scenario;
    cluster.unruly(before.active.node).whenItStarts('crash-at-start');
    process.kill(await before.active.controllerPid(), 'SIGKILL');
    await cluster.activeOn(before.passive.node);
    await faultLasts(2 * before.activeStatus.timings.ttlMs);
    t.is(termOf(await cluster.activeOn(before.passive.node)), termBefore + 1n);
    cluster.unruly(before.active.node).behave();
    await scenario.judge();
  },
);

test.serial(
  'F11: a controller that hangs while it starts is never counted on, and is ended in time',
  async (t) => {
    const scenario = await begin(t);
    const { cluster, before } = scenario;
    const { passive } = before;
    cluster.unruly(passive.node).whenItStarts('hang-at-start');
    process.kill(await passive.controllerPid(), 'SIGKILL');
    await passive.until('to say that it is not ready', ({ ready }) => !ready);
    const hung = await passive.controllerPid();
    // Long enough for it to have started, if it could.
    await faultLasts(1_000);
    cluster.unruly(passive.node).behave();
    await eventually(async () => ((await passive.controllerPid()) === hung ? null : true), {
      what: 'the one that hangs to be ended',
      withinMs: 30_000,
    });
    await scenario.judge();
    await scenario.nothingHappened();
  },
);
