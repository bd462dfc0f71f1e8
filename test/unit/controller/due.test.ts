import { Backlog, type Instants, MAX_INSTANTS } from '@understudy/controller/schedule/backlog';
import { decideDue } from '@understudy/controller/schedule/due';
import { decideOverlap } from '@understudy/controller/schedule/overlap';
import { instantsOf } from '@understudy/controller/scheduler/cron';
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
const ask = (decidedUntil: number, now: number, catchUp: 'none' | 'latest' | 'all') =>
  decideDue({ instants: found(everyMinute, decidedUntil, now), isPart: false, now, catchUp });

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
  t.true(none.skipped.every(({ reason }) => reason.length > 0));
  t.deepEqual(ask(minute, now, 'latest').run, [4 * minute]);
  t.is(ask(minute, now, 'latest').skipped.length, 2);
  t.deepEqual(ask(minute, now, 'all').run, [2 * minute, 3 * minute, 4 * minute]);
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
  const question = { now: 9 * minute, catchUp: 'latest' } as const;
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

test('overlap decides by what is not over yet', (t) => {
  t.is(decideOverlap('skip', 0).type, 'queue');
  t.is(decideOverlap('skip', 1).type, 'skip');
  t.is(decideOverlap('queue', 1).type, 'queue');
  t.is(decideOverlap('allow', 1).type, 'queue');
  t.is(decideOverlap('replace', 1).type, 'replace');
});
