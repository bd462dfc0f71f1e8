import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { getPriority } from 'node:os';
import { lowerPriority, raisePriority } from '@understudy/heartbeat/supervise/priority';
import { readProc } from '@understudy/shared/runtime/child';
import test, { type ExecutionContext } from 'ava';

/** A process that does nothing, with its pid; `isLeader`: of a session of its own. */
async function sleeper(
  t: ExecutionContext,
  isLeader = false,
): Promise<ChildProcess & { pid: number }> {
  const child = spawn('sleep', ['600'], { stdio: 'ignore', detached: isLeader });
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

/** The priority of a process's session beside others; null where the kernel makes no difference. */
function sessionPriority(pid: number): number | null {
  const said = readProc(`/proc/${pid}/autogroup`);
  return said === null ? null : Number(/nice (-?\d+)/.exec(said)?.[1]);
}

test('a process with a session of its own goes before other sessions as well', async (t) => {
  const { pid } = await sleeper(t, true);
  const refused = raisePriority(pid);
  const expected = sessionPriority(pid) === null || refused !== null ? sessionPriority(pid) : -10;
  t.is(sessionPriority(pid), expected);
  if (refused === null) t.is(getPriority(pid), -10);
  else t.regex(refused, /EACCES|EPERM|EAGAIN/);
});

test('the session of somebody else is left as it is', async (t) => {
  const { pid } = await sleeper(t);
  const before = sessionPriority(pid);
  raisePriority(pid);
  t.is(sessionPriority(pid), before);
});

test('of a process that has gone it is said that it has', async (t) => {
  const child = await sleeper(t);
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
  t.regex(raisePriority(child.pid) ?? '', /ENOENT|ESRCH/);
});
