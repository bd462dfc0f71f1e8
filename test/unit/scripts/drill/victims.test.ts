import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { HeartbeatStatus } from '@understudy/scripts/cli/client/heartbeat-status';
import { childrenOf, findVictims, signal } from '@understudy/scripts/drill/victims';
import { isAlive, processId } from '@understudy/shared/runtime/child';
import test, { type ExecutionContext } from 'ava';

const MARK = 'UNDERSTUDY_OWNER=p/a/incarnation-1';

/** Two processes that look like a heartbeat and its controller, the controller with that mark. */
async function standIns(t: ExecutionContext, mark: string, name = 'heartbeat') {
  const [variable = '', value = ''] = mark.split('=');
  const script = `
    const { spawn } = require('node:child_process');
    const env = { ...process.env, ${JSON.stringify(variable)}: ${JSON.stringify(value)} };
    const child = spawn('sleep', ['60'], { env, stdio: 'ignore' });
    process.on('exit', () => child.kill('SIGKILL'));
    child.on('spawn', () => console.log(child.pid));
    process.on('SIGTERM', () => process.exit());`;
  const heartbeat: ChildProcess = spawn(process.execPath, ['-e', script, '--', name], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(async () => {
    heartbeat.kill('SIGTERM');
    await once(heartbeat, 'exit');
  });
  const [line] = (await once(heartbeat.stdout ?? process.stdin, 'data')) as [Buffer];
  return { heartbeatPid: heartbeat.pid ?? 0, controllerPid: Number(line.toString()) };
}

function statusOf(pid: number, controllerPid: number): HeartbeatStatus {
  return {
    ...{ pair: 'p', node: 'a', incarnation: 'incarnation-1', role: 'active', phase: 'serving' },
    ...{ term: '3', active: null, ready: false, notReady: [], failsafe: false, paused: false },
    ...{ disagreements: [], promise: [], measured: [], pid },
    controller: { state: 'serving', pid: controllerPid },
  };
}

test('a drill finds the processes that carry the mark of the active incarnation', async (t) => {
  const { heartbeatPid, controllerPid } = await standIns(t, MARK);
  t.deepEqual(childrenOf(heartbeatPid), [controllerPid]);
  const victims = findVictims(statusOf(heartbeatPid, controllerPid));
  t.deepEqual([victims.heartbeat.pid, victims.controller.pid], [heartbeatPid, controllerPid]);
});

test('a pid that belongs to another incarnation, or to no heartbeat, is never a victim', async (t) => {
  const other = await standIns(t, 'UNDERSTUDY_OWNER=p/a/incarnation-2');
  const nobody = await standIns(t, MARK, 'backup');
  const right = await standIns(t, MARK);
  for (const [heartbeat, controller] of [
    [other.heartbeatPid, other.controllerPid],
    [nobody.heartbeatPid, nobody.controllerPid],
    // The right controller below another heartbeat, and the pids of this very test.
    [other.heartbeatPid, right.controllerPid],
    [process.ppid, process.pid],
  ] as const) {
    t.throws(() => findVictims(statusOf(heartbeat, controller)), {
      message: /is not a process of this host/,
    });
  }
});

test('a pid that was given to another process meanwhile gets no signal', async (t) => {
  const { controllerPid } = await standIns(t, MARK);
  const found = processId(controllerPid);
  if (found === null) throw new Error('the process is not there');
  t.false(signal({ ...found, startTime: '1' }, 'SIGKILL'));
  t.true(isAlive(found));
  t.true(signal(found, 'SIGCONT'));
});

test('the children of a process are those of all its threads', async (t) => {
  const script = `
    const { spawn } = require('node:child_process');
    const { parentPort } = require('node:worker_threads');
    const child = spawn('sleep', ['60'], { stdio: 'ignore' });
    child.on('spawn', () => parentPort.postMessage(child.pid));`;
  const thread = new Worker(script, { eval: true });
  t.teardown(() => thread.terminate());
  const [pid] = (await once(thread, 'message')) as [number];
  t.true(childrenOf(process.pid).includes(pid));
  process.kill(pid, 'SIGKILL');
});
