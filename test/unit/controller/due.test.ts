import { decideDue, MAX_INSTANTS } from '@understudy/controller/schedule/due';
import { decideOverlap } from '@understudy/controller/schedule/overlap';
import { instantsOf } from '@understudy/controller/scheduler/cron';
import test from 'ava';

const every = (ms: number) => ({
  next: (after: number) => (Math.floor(after / ms) + 1) * ms,
  previous: (before: number) => (Math.ceil(before / ms) - 1) * ms,
});
const minute = 60_000;
const ask = (decidedUntil: number, now: number, catchUp: 'none' | 'latest' | 'all') =>
  decideDue({ instants: every(minute), decidedUntil, now, catchUp });

test('an instant that comes up in time is run, and decided once', (t) => {
  const due = ask(minute, 2 * minute + 700, 'none');
  t.deepEqual([due.run, due.skipped, due.decidedUntil], [[2 * minute], [], 2 * minute]);
  t.deepEqual(ask(due.decidedUntil, 2 * minute + 1_700, 'none').run, []);
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

test('a long absence costs no more than the bound, keeps the newest, and says that it was cut', (t) => {
  const due = ask(0, 5_000 * minute + 30_000, 'all');
  t.is(due.run.length, MAX_INSTANTS);
  t.is(due.run.at(-1), 5_000 * minute);
  t.true(due.cut);
});

test('cron instants are whole, and the same looked at forwards and backwards', (t) => {
  const instants = instantsOf({ cron: '*/5 * * * *', timezone: 'UTC' });
  const noon = Date.UTC(2026, 0, 1, 12);
  t.is(instants.next(noon), noon + 5 * minute);
  t.is(instants.previous(noon + 1), noon);
  t.is(instants.previous(noon), noon - 5 * minute);
  t.is(instants.previous(noon + 5 * minute), noon);
});

test('overlap decides by what is not over yet', (t) => {
  t.is(decideOverlap('skip', 0).type, 'queue');
  t.is(decideOverlap('skip', 1).type, 'skip');
  t.is(decideOverlap('queue', 1).type, 'queue');
  t.is(decideOverlap('allow', 1).type, 'queue');
  t.is(decideOverlap('replace', 1).type, 'replace');
});
