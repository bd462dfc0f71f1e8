import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  endPredecessors,
  OWNER_VARIABLE,
  ownerMark,
} from '@understudy/heartbeat/supervise/predecessor';
import { processId } from '@understudy/shared/runtime/child';
import { silentLog } from '@understudy/shared/runtime/log';
import test from 'ava';

const pair = `pair-of-test-${process.pid}`;

async function sleeper(mark: string) {
  const child = spawn('sleep', ['60'], { env: { ...process.env, [OWNER_VARIABLE]: mark } });
  await once(child, 'spawn');
  return child;
}

test('F20: what an earlier incarnation of this node left behind is killed, nothing else', async (t) => {
  const earlier = await sleeper(ownerMark(pair, 'a', 'earlier'));
  const own = await sleeper(ownerMark(pair, 'a', 'own'));
  const other = await sleeper(ownerMark(pair, 'ab', 'earlier'));
  t.teardown(() => {
    for (const child of [earlier, own, other]) child.kill('SIGKILL');
  });
  const found = await endPredecessors({
    pair,
    node: 'a',
    incarnation: 'own',
    log: silentLog,
    withinMs: 10_000,
  });
  t.is(found, 1);
  t.is(earlier.pid === undefined ? null : processId(earlier.pid), null);
  for (const child of [own, other]) t.truthy(child.pid && processId(child.pid));
});
