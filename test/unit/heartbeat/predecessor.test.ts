import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  endPredecessors,
  OWNER_VARIABLE,
  ownerMark,
} from '@understudy/heartbeat/supervise/predecessor';
import { killGroup, processId } from '@understudy/shared/runtime/child';
import { silentLog } from '@understudy/shared/runtime/log';
import test, { type ExecutionContext } from 'ava';

async function sleeper(mark: string) {
  const child = spawn('sleep', ['60'], { env: { ...process.env, [OWNER_VARIABLE]: mark } });
  await once(child, 'spawn');
  return child;
}

/** Runs a script, marked as an earlier incarnation's, in a session of its own; resolves to what it writes. */
async function startScript(t: ExecutionContext, pair: string, script: string): Promise<number[]> {
  const child = spawn('sh', ['-c', script], {
    detached: true,
    env: { ...process.env, [OWNER_VARIABLE]: ownerMark(pair, 'a', 'earlier') },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.pid !== undefined && void killGroup(child.pid, 'SIGKILL'));
  const [written] = await once(child.stdout, 'data');
  return String(written).trim().split(' ').map(Number);
}

const end = (pair: string) =>
  endPredecessors({ pair, node: 'a', incarnation: 'own', log: silentLog, withinMs: 10_000 });

test('F20: what an earlier incarnation of this node left behind is killed, nothing else', async (t) => {
  const pair = `pair-of-test-${process.pid}`;
  const earlier = await sleeper(ownerMark(pair, 'a', 'earlier'));
  const own = await sleeper(ownerMark(pair, 'a', 'own'));
  const other = await sleeper(ownerMark(pair, 'ab', 'earlier'));
  t.teardown(() => {
    for (const child of [earlier, own, other]) child.kill('SIGKILL');
  });
  t.is(await end(pair), 1);
  t.is(earlier.pid === undefined ? null : processId(earlier.pid), null);
  for (const child of [own, other]) t.truthy(child.pid && processId(child.pid));
});

test('F20: what is started while the others are being ended is ended, too', async (t) => {
  const pair = `forking-pair-of-test-${process.pid}`;
  const script = 'echo $$; i=0; while [ $((i+=1)) -lt 2000 ]; do setsid -f sleep 60; done';
  await startScript(t, pair, script);
  t.true((await end(pair)) > 0);
  t.is(await end(pair), 0, 'nothing is left');
});

test('F20: who has no mark any more is found by the session that a marked process leads', async (t) => {
  const pair = `session-pair-of-test-${process.pid}`;
  const script = `env -u ${OWNER_VARIABLE} sleep 60 & echo $$ $!; wait`;
  const pids = await startScript(t, pair, script);
  t.is(pids.length, 2);
  await end(pair);
  t.deepEqual(pids.map(processId), [null, null]);
});

test('F20: a marked process in a session of somebody else costs only itself', async (t) => {
  const pair = `guest-pair-of-test-${process.pid}`;
  const script = `${OWNER_VARIABLE}=${ownerMark(pair, 'a', 'earlier')} sleep 60 & echo $$ $!; wait; sleep 60`;
  const [host, guest] = await startScript(t, 'another-pair', script);
  await end(pair);
  t.is(processId(guest ?? 0), null);
  t.truthy(processId(host ?? 0));
});
