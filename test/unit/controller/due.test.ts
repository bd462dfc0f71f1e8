import { whyMissed } from '@understudy/controller/schedule/absence';
import { Backlog, type Instants, MAX_INSTANTS } from '@understudy/controller/schedule/backlog';
import { decideDue } from '@understudy/controller/schedule/due';
import {
  decideOverlap,
  limitOf,
  type OverlapPolicy,
} from '@understudy/controller/schedule/overlap';
import { instantsOf } from '@understudy/controller/scheduler/instants';
import test from 'ava';

const minute = 60_000;
const hour = 60 * minute;
const everyMinute: Instants = (after) => {
  let at = Math.floor(after / minute) * minute;
  return () => {
    at += minute;
    return at;
  };
};
const always = () => true;
const found = (instants: Instants, after: number, now: number): number[] => {
  const backlog = new Backlog(instants, after);
  backlog.look(now, always);
  return backlog.take(Infinity).instants;
};
const policyOf = (catchUp: 'none' | 'latest' | 'all', catchUpWindowMs: number | null = null) => ({
  ...{ catchUp, catchUpWindowMs, paused: false },
});
const ask = (
  decidedUntil: number,
  now: number,
  catchUp: 'none' | 'latest' | 'all',
  windowMs: number | null = null,
) =>
  decideDue({
    ...{ instants: found(everyMinute, decidedUntil, now), isPart: false, now },
    policy: policyOf(catchUp, windowMs),
    whyMissed: () => 'nobody was there',
  });

test('an instant that comes up in time is run, and decided once', (t) => {
  const due = ask(minute, 2 * minute + 700, 'none');
  t.deepEqual([due.run, due.skipped], [[2 * minute], []]);
  t.deepEqual(ask(2 * minute, 2 * minute + 1_700, 'none').run, []);
});

test('nothing is due before its instant', (t) => {
  t.deepEqual(ask(minute, 2 * minute - 1, 'all').run, []);
});

test('missed instants are skipped with a reason, or caught up as the job says', (t) => {
  const now = 4 * minute + 30_000;
  const none = ask(minute, now, 'none');
  t.deepEqual(none.run, []);
  t.deepEqual(
    none.skipped.map(({ at }) => at),
    [2 * minute, 3 * minute, 4 * minute],
  );
  t.true(none.skipped.every(({ reason }) => reason.includes('nobody was there; noticed')));
  t.deepEqual(ask(minute, now, 'latest').run, [4 * minute]);
  t.is(ask(minute, now, 'latest').skipped.length, 2);
  t.deepEqual(ask(minute, now, 'all').run, [2 * minute, 3 * minute, 4 * minute]);
});

test('what was missed longer ago than the window is recorded only, whatever is caught up', (t) => {
  const now = 9 * minute + 30_000;
  const all = ask(0, now, 'all', 3 * minute);
  t.deepEqual(all.run, [7 * minute, 8 * minute, 9 * minute]);
  t.is(all.skipped.length, 6);
  t.true(all.skipped.every(({ reason }) => reason.includes('catchUpWindow')));
  t.deepEqual(ask(0, now, 'latest', minute).run, [9 * minute]);
  t.deepEqual(ask(0, now, 'latest', 20_000).run, []);
});

test('each instant of a paused job is recorded as skipped', (t) => {
  const due = decideDue({
    ...{ instants: [minute, 2 * minute], isPart: false, now: 2 * minute },
    ...{ policy: { ...policyOf('all'), paused: true }, whyMissed: () => '' },
  });
  const reason = 'the job is paused';
  t.deepEqual(due, { run: [], skipped: [minute, 2 * minute].map((at) => ({ at, reason })) });
});

test('a missed instant says who could not decide about it', (t) => {
  const facts = { activeSince: 10, held: { from: 20, to: 30 } };
  const reasons = [5, 15, 25].map((at) => whyMissed(at, facts));
  t.is(new Set(reasons).size, 3);
  t.regex(reasons[0] ?? '', /no controller was active/);
  t.regex(reasons[2] ?? '', /database/);
});

test('after a long absence the newest instants are kept, and it is said that it was cut', (t) => {
  const backlog = new Backlog(everyMinute, 0);
  t.true(backlog.look(5_000 * minute + 30_000, always));
  const { instants, cut } = backlog.take(Infinity);
  t.is(instants.length, MAX_INSTANTS);
  t.is(instants.at(-1), 5_000 * minute);
  t.is(instants[0], 4_001 * minute);
  t.true(cut);
});

test('a backlog that is looked at in small steps misses nothing and gives nothing twice', (t) => {
  const backlog = new Backlog(everyMinute, 0);
  const instants: number[] = [];
  let now = 500 * minute;
  for (let isFound = false; !isFound; now += minute) {
    let steps = 7;
    isFound = backlog.look(now, () => steps-- > 0);
  }
  for (let rest = 1; rest > 0; ) {
    const taken = backlog.take(200);
    instants.push(...taken.instants);
    rest = taken.rest;
    t.false(taken.cut);
  }
  const last = now / minute - 1;
  t.deepEqual(
    instants,
    Array.from({ length: last }, (_, index) => (index + 1) * minute),
  );
  t.is(backlog.nextAt, now);
});

test('of a backlog decided in parts only the last part has the latest', (t) => {
  const question = { now: 9 * minute, policy: policyOf('latest'), whyMissed: () => '' };
  const first = decideDue({ ...question, instants: [minute, 2 * minute], isPart: true });
  t.deepEqual([first.run.length, first.skipped.length], [0, 2]);
  const last = decideDue({ ...question, instants: [3 * minute, 4 * minute], isPart: false });
  t.deepEqual(last.run, [4 * minute]);
});

test('F80: a daily instant comes once on the days when the clocks change', (t) => {
  const instants = instantsOf({ cron: '30 2 * * *', timezone: 'Europe/Rome' });
  for (const [day, expected] of [
    ['2026-03-29', '2026-03-29T01:30:00.000Z'],
    ['2026-10-25', '2026-10-25T00:30:00.000Z'],
  ] as const) {
    const midnight = Date.parse(`${day}T00:00:00Z`);
    const end = midnight + 20 * hour;
    t.deepEqual(found(instants, midnight - hour, end), [Date.parse(expected)]);
    // Wherever a new controller begins, it comes to the same.
    for (let at = midnight; at < midnight + 4 * hour; at += 5 * minute) {
      const rest = found(instants, at, end);
      t.deepEqual(rest, Date.parse(expected) > at ? [Date.parse(expected)] : []);
    }
  }
});

test('overlap decides by what is not over yet, once the job is full', (t) => {
  const decide = (overlap: OverlapPolicy['overlap'], open: number, concurrency: number | null) =>
    decideOverlap({ overlap, concurrency }, open);
  t.is(decide('skip', 0, null).type, 'queue');
  t.is(decide('skip', 1, null).type, 'skip');
  t.is(decide('queue', 1, null).type, 'queue');
  t.is(decide('allow', 1, null).type, 'queue');
  t.like(decide('replace', 1, null), { type: 'replace', count: 1 });
  t.is(decide('skip', 2, 3).type, 'queue');
  t.is(decide('skip', 3, 3).type, 'skip');
  t.like(decide('replace', 3, 3), { type: 'replace', count: 1 });
  t.deepEqual(
    (['allow', 'queue', 'skip', 'replace'] as const).map((overlap) => [
      limitOf({ overlap, concurrency: null }),
      limitOf({ overlap, concurrency: 4 }),
    ]),
    [
      [null, 4],
      [1, 4],
      [1, 4],
      [1, 4],
    ],
  );
});
