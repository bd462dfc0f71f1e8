import { spawn } from 'node:child_process';
import { getPriority } from 'node:os';
import { raisePriority } from '@understudy/heartbeat/supervise/priority';
import test, { type ExecutionContext } from 'ava';
import { faultLasts } from '../support/cluster/eventually.ts';
import { processesMarked, signal, threadsOf } from '../support/cluster/proc.ts';
import { termOf } from '../support/cluster.ts';
import { instantFaults } from '../support/invariants/instants.ts';
import { BUSY_MS } from './bounds.ts';
import { Scenario } from './scenario.ts';

const begin = Scenario.shared(test, {
  linked: true,
  host: { agents: { lostAfter: '120s' } },
  agent: { retry: { every: '200ms', timeout: '250ms', limit: 1_000 } },
});

/** Every process of a host: its heartbeat, and all that carries the mark of its present life. */
function processesOf(scenario: Scenario, node: string, incarnation: string): number[] {
  const { cluster } = scenario;
  const marked = processesMarked(`${cluster.facts.pair}/${node}/${incarnation}`);
  return [cluster.host(node).heartbeat.pid, ...marked.map(({ pid }) => pid)];
}

test.serial(
  'F30: a host that loses its power says no goodbye to anybody; its peer serves in time',
  async (t) => {
    const scenario = await begin(t);
    const { cluster, before, termBefore, bounds } = scenario;
    const { node } = before.active;
    await scenario.submitTwenty();
    const at = process.hrtime.bigint();
    for (const link of cluster.links.of(node)) link.blackhole();
    for (const pid of processesOf(scenario, node, before.activeStatus.incarnation)) {
      signal(pid, 'SIGKILL');
    }
    await scenario.servedBy(before.passive.node, at, bounds.silenceMs + 2_300 + BUSY_MS);
    t.is(await cluster.basisOf(termBefore + 1n), 'silence');
    await before.active.heartbeat.ended;
    cluster.heal();
    before.active.start();
    const { runs } = await scenario.judge();
    t.true(runs.every((run) => run.state === 'succeeded'));
  },
);

test.serial(
  'F86: an operator kills every process of a host: its peer serves in time',
  async (t) => {
    const scenario = await begin(t);
    const { before, bounds } = scenario;
    await scenario.submitTwenty();
    const at = process.hrtime.bigint();
    const { node } = before.active;
    for (const pid of processesOf(scenario, node, before.activeStatus.incarnation)) {
      signal(pid, 'SIGKILL');
    }
    await before.active.heartbeat.ended;
    await scenario.servedBy(before.passive.node, at, bounds.silenceMs + BUSY_MS);
    before.active.start();
    const { runs } = await scenario.judge();
    t.true(runs.every((run) => run.state === 'succeeded'));
  },
);

test.serial(
  'F34: a host that gets a fifth of the processor for a while keeps its role, or loses it once',
  async (t) => {
    const scenario = await begin(t);
    const { before, termBefore } = scenario;
    const { node } = before.active;
    await scenario.submitTwenty();
    const pids = processesOf(scenario, node, before.activeStatus.incarnation);
    for (let slice = 0; slice < 30; slice++) {
      for (const pid of pids) signal(pid, 'SIGSTOP');
      await faultLasts(160);
      for (const pid of pids) signal(pid, 'SIGCONT');
      await faultLasts(40);
    }
    const { after } = await scenario.judge();
    const changes = termOf(after.activeStatus) - termBefore;
    t.true(changes <= 1n, `${changes} changes`);
  },
);

test.serial(
  'F34: on a busy host both heartbeats and the controller that serves go before others, one that waits does not',
  async (t) => {
    const scenario = await begin(t);
    const { active, passive } = scenario.before;
    const usual = getPriority();
    const raised = mayRaise(t) ? -10 : usual;
    const priorities = (pid: number) => new Set(threadsOf(pid).map((each) => getPriority(each)));
    for (const { heartbeat } of [active, passive]) {
      t.deepEqual(priorities(heartbeat.pid), new Set([raised]));
    }
    t.deepEqual(priorities(await active.controllerPid()), new Set([raised]));
    t.deepEqual(priorities(await passive.controllerPid()), new Set([usual]));
  },
);

/** Whether this user may let a process go before others. */
function mayRaise(t: ExecutionContext): boolean {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  t.teardown(() => child.kill('SIGKILL'));
  if (child.pid === undefined) throw new Error('no process could be started');
  const { pid } = child;
  return raisePriority(pid) === null;
}

test.serial('F28: a heartbeat whose log can not be written goes on renewing', async (t) => {
  const scenario = await begin(t);
  const { cluster, before } = scenario;
  await before.passive.stop();
  before.passive.start('/dev/full');
  await cluster.settled();
  await before.active.stop();
  await cluster.activeOn(before.passive.node);
  before.active.start();
  await cluster.settled();
  const term = termOf(await cluster.activeOn(before.passive.node));
  await faultLasts(2 * before.activeStatus.timings.ttlMs);
  t.is(termOf(await cluster.activeOn(before.passive.node)), term);
  await scenario.judge();
});

test.serial(
  'F81: a schedule that falls due every second has one run for each second across fail-overs',
  async (t) => {
    const scenario = await begin(t);
    const { cluster, before, termBefore } = scenario;
    await cluster.client.putJob({
      name: 'tick',
      command: ['true'],
      schedule: { cron: '* * * * * *' },
      catchUp: 'all',
    });
    await faultLasts(2_000);
    // At the moment of a tick, as near as a test can get.
    await faultLasts(1_000 - (Date.now() % 1_000));
    signal(await before.active.controllerPid(), 'SIGKILL');
    const second = await cluster.settled({ above: termBefore });
    await faultLasts(1_000 - (Date.now() % 1_000));
    await second.active.killHeartbeat();
    await cluster.activeOn(second.passive.node);
    second.active.start();
    await cluster.settled();
    await faultLasts(2_000);
    await cluster.client.request('POST', '/api/v1/jobs/tick/pause');
    await scenario.judge();
    const rows = await cluster.query<{ instant: string }>(
      "select scheduled_for::text as instant from understudy.run where job = 'tick'",
    );
    const runs = rows.map(({ instant }) => ({
      job: 'tick',
      instant: Date.parse(instant.replace(' ', 'T').replace(/\+00$/, 'Z')),
    }));
    t.true(runs.length > 5, `${runs.length} runs`);
    t.deepEqual(instantFaults(runs, 1_000), []);
  },
);
