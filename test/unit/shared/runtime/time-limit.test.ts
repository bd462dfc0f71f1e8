import { getEventListeners } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { timeLimit } from '@understudy/shared/runtime/time-limit';
import test from 'ava';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Settles as its listeners do, and refers to nothing of it. */
function abortOf(signal: AbortSignal): Promise<string> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve((signal.reason as Error).name), { once: true });
  });
}

test('a time limit that nobody refers to any more is kept', async (t) => {
  const aborts = abortOf(timeLimit(500, new AbortController().signal).signal);
  for (let turn = 0; turn < 5; turn += 1) {
    await pause(20);
    collect();
  }
  t.is(await Promise.race([aborts, pause(30_000, 'never')]), 'TimeoutError');
});

test('it is over as soon as one of its signals is, for the reason of that one', async (t) => {
  const early = new AbortController();
  const { signal } = timeLimit(60_000, new AbortController().signal, early.signal);
  t.false(signal.aborted);
  const reason = new Error('enough');
  early.abort(reason);
  t.is(signal.reason, reason);
});

test('it is over from the start where one of its signals is', (t) => {
  t.true(timeLimit(60_000, AbortSignal.abort()).signal.aborted);
});

test('one that has ended leaves nothing behind with signals that live on', (t) => {
  const { signal: lasting } = new AbortController();
  const limits = Array.from({ length: 5 }, () => timeLimit(60_000, lasting));
  t.is(getEventListeners(lasting, 'abort').length, 5);
  for (const limit of limits) limit.end();
  t.is(getEventListeners(lasting, 'abort').length, 0);
  t.true(limits.every(({ signal }) => signal.aborted));
});
