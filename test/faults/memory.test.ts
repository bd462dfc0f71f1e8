import test, { type ExecutionContext } from 'ava';
import { eventually, faultLasts } from '../support/cluster/eventually.ts';
import { MemoryGroup, whyNoMemoryGroup } from '../support/cluster/memory-group.ts';
import { termOf } from '../support/cluster.ts';
import { BUSY_MS } from './bounds.ts';
import { Scenario } from './scenario.ts';

const missing = whyNoMemoryGroup();
const LITTLE_BYTES = 1024 * 1024;
/** How V8, the kernel and C++ say it. */
const WANT_OF_MEMORY = ['out of memory', 'ENOMEM', 'bad_alloc'];

const begin = Scenario.shared(test, { host: { agents: { lostAfter: '120s' } } });

function withGroup(
  title: string,
  check: (t: ExecutionContext, group: MemoryGroup) => Promise<void>,
): void {
  test.serial(title, async (t) => {
    if (missing !== null) {
      t.log(`skipped: ${missing}`);
      if (process.env['CI']) t.fail(missing);
      else t.pass();
      return;
    }
    const group = MemoryGroup.make(`understudy-test-${process.pid}`);
    t.teardown(() => group.remove());
    await check(t, group);
  });
}

withGroup(
  'F29: a heartbeat that the kernel kills for want of memory takes its controller with it',
  async (t, group) => {
    const scenario = await begin(t);
    const { before, bounds } = scenario;
    const { active, passive } = before;
    await scenario.submitTwenty();
    group.starve([active.heartbeat.pid], LITTLE_BYTES, 'kill');
    // It needs more than it has as soon as it is asked for much at once.
    await eventually(
      async () => {
        await Promise.all(Array.from({ length: 50 }, () => active.status()));
        return active.heartbeat.running ? null : true;
      },
      { what: 'the kernel to kill the heartbeat' },
    );
    t.is(await active.heartbeat.ended, 'SIGKILL');
    const at = process.hrtime.bigint();
    await scenario.servedBy(passive.node, at, bounds.silenceMs + BUSY_MS);
    scenario.silentSince(active.node, at, BUSY_MS);
    active.start();
    const { runs } = await scenario.judge();
    t.true(runs.every((run) => run.state === 'succeeded'));
  },
);

withGroup(
  'F35: a host that gets no memory for a while loses the role once at most, and is well again by itself',
  async (t, group) => {
    const scenario = await begin(t);
    const { before, termBefore } = scenario;
    const { active } = before;
    await scenario.submitTwenty();
    const pids = [active.heartbeat.pid, await active.controllerPid()];
    // What asks for memory outright is refused it, and V8 ends its process then: its service manager starts it again.
    let isJudged = false;
    void active.heartbeat.ended.then(() => isJudged || active.start());
    group.starve(pids, LITTLE_BYTES, 'stall');
    await faultLasts(3 * before.activeStatus.timings.ttlMs);
    group.relieve();
    const { after, runs } = await scenario.judge();
    isJudged = true;
    const isAnew = active.heartbeat.pid !== pids[0];
    const reasons = WANT_OF_MEMORY.flatMap((each) => scenario.logLines(active.node, each));
    if (isAnew) t.not(reasons.length, 0, 'it ended for another reason than want of memory');
    const changes = termOf(after.activeStatus) - termBefore;
    t.log(`the term changed ${changes} times${isAnew ? ', the heartbeat began anew' : ''}`);
    t.true(changes <= 1n);
    t.true(runs.every((run) => run.state === 'succeeded'));
  },
);
