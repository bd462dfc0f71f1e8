import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { getPriority } from 'node:os';
import { lowerPriority, raisePriority } from '@understudy/heartbeat/supervise/priority';
import test, { type ExecutionContext } from 'ava';

/** A process that does nothing, with its pid. */
async function sleeper(t: ExecutionContext): Promise<ChildProcess & { pid: number }> {
  const child = spawn('sleep', ['600'], { stdio: 'ignore' });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child, 'spawn');
  return child as ChildProcess & { pid: number };
}

test('a process is let before others, or it is said why not', async (t) => {
  const { pid } = await sleeper(t);
  const usual = getPriority(pid);
  const refused = raisePriority(pid);
  if (refused === null) t.is(getPriority(pid), -10);
  else {
    t.regex(refused, /EACCES|EPERM/);
    t.is(getPriority(pid), usual);
  }
  t.is(lowerPriority(pid), null);
  t.is(getPriority(pid), usual);
});

test('of a process that has gone it is said that it has', async (t) => {
  const child = await sleeper(t);
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
  t.regex(raisePriority(child.pid) ?? '', /ENOENT|ESRCH/);
});
