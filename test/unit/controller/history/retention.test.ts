import { Retention, type RetentionParts } from '@understudy/controller/history/retention';
import { DeposedError } from '@understudy/controller/store/lane';
import type { TenureContext } from '@understudy/controller/work/context';
import { silentLog } from '@understudy/shared/runtime/log';
import test, { type ExecutionContext } from 'ava';

/** However often it is looked, there is more. */
const old = Array.from({ length: 100 }, (_, n) => ({ id: `${n}`, logBytes: 0 }));

/** A database with old runs of one job, and a lane whose transactions end when the test says so. */
function setUp(t: ExecutionContext) {
  // What is tested keeps no process alive.
  const alive = setInterval(() => undefined, 1_000);
  t.teardown(() => clearInterval(alive));
  const bites: { end: () => void; fail: (error: Error) => void }[] = [];
  let begun: () => void = () => undefined;
  const did: string[] = [];
  const guard = { mayAct: () => true };
  const committer = { isAway: false, isFull: false };
  const reader = {
    isAway: false,
    select: async (text: string) => {
      if (text.startsWith('select extract')) return [{ now: 1e12 }];
      if (text.includes('select job from named')) return [{ job: 'j' }];
      if (text.includes('logBytes')) return old;
      return [];
    },
  };
  const parts: RetentionParts = {
    context: {
      ...{ pair: 'p', node: 'a', term: 7n, guard, committer, log: silentLog },
      clock: { monotonicMs: () => performance.now(), wallMs: () => 0, monotonicNs: () => 0n },
    } as unknown as TenureContext,
    config: { runs: { ageMs: 1_000, count: null }, eventsMs: null, auditMs: null, everyMs: 1 },
    state: { jobs: new Map(), forget: () => undefined },
    reader,
    lane: {
      transaction: (_options, work) =>
        new Promise((resolve, reject) => {
          const execute = async () => [];
          bites.push({ end: () => void work(execute).then(resolve, reject), fail: reject });
          begun();
        }),
      close: () => void did.push('closed'),
    },
    hooks: () => [],
    onDeposed: (reason) => void did.push(`deposed: ${reason}`),
  };
  const retention = new Retention(parts);
  const bite = async (count: number) => {
    while (bites.length < count) {
      await new Promise<void>((resolve) => {
        begun = resolve;
      });
    }
    const last = bites[count - 1];
    if (last === undefined) throw new Error('there is a bite');
    return last;
  };
  return { retention, bites, bite, did, guard, committer };
}

const aMoment = () => new Promise((resolve) => setTimeout(resolve, 100));

test('paused, it is idle once the bite under way has ended, and takes no other until it is started', async (t) => {
  const { retention, bites, bite } = setUp(t);
  t.true(retention.isIdle);
  retention.start();
  (await bite(1)).end();
  const second = await bite(2);
  retention.pause();
  t.false(retention.isIdle);
  const idle = retention.whenIdle();
  second.end();
  await idle;
  t.true(retention.isIdle);
  await aMoment();
  t.is(bites.length, 2);
  retention.start();
  (await bite(3)).end();
  await bite(4);
  retention.stop();
  retention.start();
  t.is(bites.length, 4, 'stopped, it is over');
});

test('it waits while the database is away or the tenure in doubt', async (t) => {
  const { retention, bites, bite, guard, committer } = setUp(t);
  guard.mayAct = () => false;
  retention.start();
  await aMoment();
  t.is(bites.length, 0);
  guard.mayAct = () => true;
  (await bite(1)).end();
  committer.isAway = true;
  await aMoment();
  const { length } = bites;
  t.true(length <= 2);
  bites.at(-1)?.end();
  await aMoment();
  t.is(bites.length, length);
  committer.isAway = false;
  await bite(length + 1);
  retention.stop();
});

test('a failure ends the look, and the next one tries again; a higher term ends it all', async (t) => {
  const { retention, bite, did } = setUp(t);
  retention.start();
  (await bite(1)).fail(new Error('the connection ended'));
  const next = await bite(2);
  t.deepEqual(did, ['closed']);
  next.fail(new DeposedError('term 8'));
  await aMoment();
  retention.stop();
  t.true(did.includes('deposed: term 8'));
});
