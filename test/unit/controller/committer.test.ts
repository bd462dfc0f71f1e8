import { Committer } from '@understudy/controller/store/committer';
import type { FencedOptions } from '@understudy/controller/store/lane';
import { TenureGuard } from '@understudy/controller/tenure/guard';
import { requireStore, type TenureContext } from '@understudy/controller/work/context';
import { silentLog } from '@understudy/shared/runtime/log';
import test from 'ava';

const event = { at: 0, kind: 'tenure-begun', subject: null, message: 'm', facts: {} } as const;

/** A committer whose transactions go as `transact` says, and a guard that never runs out. */
function setUp(
  transact: (options: FencedOptions) => Promise<void> = ({ mayCommit }) => mayCommit(),
) {
  const clock = { monotonicNs: () => 0n, monotonicMs: () => 0, wallMs: () => 0 };
  const guard = new TenureGuard(
    { term: 7n, trustedUntilNs: 1n },
    { clock, trustMs: 1_000, onSlept: () => undefined },
  );
  let begun = 0;
  const lane = {
    transaction: async (options: FencedOptions) => {
      begun += 1;
      await transact(options);
      return { existing: new Map(), events: [] };
    },
  };
  const committer = new Committer({
    ...{ lane: lane as never, guard, owner: { pair: 'orders', term: 7n }, log: silentLog },
    onCommitted: () => undefined,
    onOutputCut: () => undefined,
    onDeposed: () => undefined,
    onDefect: () => undefined,
  });
  return { committer, guard, begun: () => begun };
}

/** Longer than any of its timers that are waited for here. */
const moment = () => new Promise((resolve) => setTimeout(resolve, 50));

test('held, it begins no transaction; resumed, it does', async (t) => {
  const { committer, guard, begun } = setUp();
  guard.hold();
  const commit = committer.commit({ events: [event] });
  await moment();
  t.is(begun(), 0);
  t.false(committer.isIdle);
  guard.resume();
  await commit;
  await committer.whenIdle();
  t.is(begun(), 1);
});

test('a hold in the midst of a transaction holds back its COMMIT', async (t) => {
  let isCommitted = false;
  const { committer, guard } = setUp(async ({ mayCommit }) => {
    guard.hold();
    await mayCommit();
    isCommitted = true;
  });
  const commit = committer.commit({ events: [event] });
  await moment();
  t.false(isCommitted);
  guard.resume();
  await commit;
  t.true(isCommitted);
});

test('F71: a conflict in the database is no outage: it is tried again at once, but not without end', async (t) => {
  const conflict = Object.assign(new Error('deadlock detected'), { code: '40P01' });
  const afterConflicts = async (count: number) => {
    const { committer, begun } = setUp(async () => {
      if (begun() <= count) throw conflict;
    });
    let wasAway = false;
    const looking = setInterval(() => {
      wasAway ||= committer.isAway;
    }, 1);
    await committer.commit({ events: [event] });
    clearInterval(looking);
    return { wasAway, tries: begun(), isAway: committer.isAway };
  };
  t.deepEqual(await afterConflicts(5), { wasAway: false, tries: 6, isAway: false });
  // By then nobody is to wait for his answer any more.
  t.deepEqual(await afterConflicts(11), { wasAway: true, tries: 12, isAway: false });
});

test('while the database is away what waits is bounded', async (t) => {
  let isAway = true;
  const { committer } = setUp(async () => {
    if (isAway) throw new Error('connection refused');
  });
  const context = { committer } as unknown as TenureContext;
  t.notThrows(() => requireStore(context));
  const events = Array.from({ length: 10_000 }, () => event);
  const commits = Array.from({ length: 6 }, () => committer.commit({ events }));
  t.true(committer.isFull);
  t.throws(() => requireStore(context), { name: 'StoreAwayError' });
  isAway = false;
  await Promise.all(commits);
  t.false(committer.isFull);
  t.notThrows(() => requireStore(context));
});
