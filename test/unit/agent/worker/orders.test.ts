import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { Workshop } from '@understudy/agent/executor/perform';
import { openDataFolder } from '@understudy/agent/spool/folder';
import { openLedger } from '@understudy/agent/worker/ledger';
import { handleOrder, type OrderDesk } from '@understudy/agent/worker/orders';
import { Runner } from '@understudy/agent/worker/runner';
import test, { type ExecutionContext } from 'ava';

const key = { run: 'r', attempt: 1 };
const cancel = { type: 'cancel', term: 1n, ...key, reason: 'a user asked' } as const;

/** A desk of an agent that has nothing to do; it starts nothing in these tests. */
async function makeDesk(t: ExecutionContext) {
  const path = mkdtempSync(join(tmpdir(), 'understudy-orders-'));
  t.teardown(() => rmSync(path, { recursive: true }));
  const folder = openDataFolder(path);
  const ledger = await openLedger(folder, { boot: 'boot', wallMinusMonotonicMs: 0 });
  const onFault = (error: unknown) => t.fail(String(error));
  const workshop = {} as unknown as Workshop;
  const quiet = { onNews: () => undefined, onStarted: () => undefined, onFault };
  const runner = new Runner({ ledger, folder, workshop, nowMs: () => 7, ...quiet });
  const desk: OrderDesk = {
    ...{ ledger, runner, slots: 1, nowMs: () => 7, onNews: () => undefined },
    closing: () => 'no',
  };
  return { desk, ledger, runner };
}

test('an attempt that was cancelled before its order came is over', async (t) => {
  const { desk, ledger } = await makeDesk(t);
  await handleOrder(cancel, desk);
  t.deepEqual(ledger.get('r.1')?.end, {
    ...{ outcome: 'cancelled', reason: 'a user asked; cancelled before it started' },
    ...{ atMs: 7, exitCode: null, signal: null, logBytes: 0 },
  });
  t.deepEqual(
    ledger.reportable().map(({ run }) => run),
    ['r'],
  );
});

test('one that is not wanted any more while its cancellation goes to the disk is forgotten', async (t) => {
  const { desk, ledger, runner } = await makeDesk(t);
  const cancelled = handleOrder(cancel, desk);
  while (ledger.get('r.1') === undefined) await setImmediate();
  const idle = runner.whenIdle();
  await runner.drop(key);
  await cancelled;
  await idle;
  t.false(runner.isUnwanted('r.1'));
  t.deepEqual(ledger.unsettled(), []);
});
