import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Cgroup } from '@understudy/agent/executor/cgroup';
import { Trees } from '@understudy/agent/executor/trees';
import test, { type ExecutionContext } from 'ava';

/** A process that nobody can be seen to have started, alone in a cgroup. */
function stray(t: ExecutionContext): { child: ChildProcess; pid: number; trees: Trees } {
  const [name = '', value] = MARK.split('=');
  const env = { ...process.env, [name]: value };
  const child = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore', env });
  t.teardown(() => child.kill('SIGKILL'));
  const pid = child.pid ?? 0;
  const isThere = (): boolean => child.exitCode === null && child.signalCode === null;
  const cgroup = { pids: () => (isThere() ? [pid] : []) } as unknown as Cgroup;
  return { child, pid, trees: new Trees(cgroup) };
}

const nobody = () => false;
const MARK = 'UNDERSTUDY_TREES_TEST=1';

/** The number of a process that has ended. */
async function endedPid(): Promise<number> {
  const child = spawn('true', { stdio: 'ignore' });
  await once(child, 'exit');
  return child.pid ?? 0;
}

test('who was just started for another attempt is not taken for what one has left behind', async (t) => {
  const { child, pid, trees } = stray(t);
  const started = trees.expect();
  const tree = trees.add({ pid: await endedPid(), carries: nobody });
  const ended = tree.end(0);
  let isOver = false;
  void ended.then(() => {
    isOver = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 150));
  t.false(isOver, 'nobody can say yet whose it is');
  trees.add({ pid, carries: nobody });
  started();
  t.deepEqual(await ended, { killed: 0, survivors: [], doubtful: [] });
  t.is(child.signalCode, null);
});

test('who was there before is judged although others are being started all the time', async (t) => {
  const { child, trees } = stray(t);
  const started = trees.expect();
  const tree = trees.add({ pid: await endedPid(), carries: nobody });
  const ended = tree.end(0);
  const exited = once(child, 'exit');
  const always = setInterval(() => trees.expect(), 1);
  t.teardown(() => clearInterval(always));
  await new Promise((resolve) => setTimeout(resolve, 20));
  started();
  t.deepEqual(await ended, { killed: 1, survivors: [], doubtful: [] });
  await exited;
  t.is(child.signalCode, 'SIGKILL');
});

test('an attempt ends beside one with children, though at each look somebody else has just been started', async (t) => {
  const { child, pid } = stray(t);
  const trees = new Trees({ pids: () => [pid, beStarted()] } as unknown as Cgroup);
  /** Somebody who is there, and of whom it is told a moment later whose he is. */
  const beStarted = (): number => {
    const started = trees.expect();
    const newborn = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' });
    t.teardown(() => newborn.kill('SIGKILL'));
    setImmediate(() => {
      trees.add({ pid: newborn.pid ?? 0, carries: nobody });
      started();
    });
    return newborn.pid ?? 0;
  };
  trees.add({ pid: await endedPid(), carries: (environment) => environment.includes(MARK) });
  const tree = trees.add({ pid: await endedPid(), carries: nobody });
  t.deepEqual(await tree.end(0), { killed: 0, survivors: [], doubtful: [] });
  t.is(child.signalCode, null);
});
