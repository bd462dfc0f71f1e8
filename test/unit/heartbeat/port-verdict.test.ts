import {
  isDecided,
  isFreshDue,
  judgePort,
  type Standing,
  takenOf,
} from '@understudy/heartbeat/supervise/port-verdict';
import test from 'ava';

const none: Standing = { type: 'none' };
const silent: Standing = { type: 'silent' };
const bad: Standing = { type: 'bad', problem: 'ECONNREFUSED' };
const well = (taken: number | null = null): Standing => ({ type: 'well', taken });
const DEAF = 'its port takes no new connection within 400 ms';
const SILENT = 'its port does not answer within 400 ms';

/** What is known before is always that 7 connections had been taken. */
const judged = test.macro({
  exec(t, kept: Standing, fresh: Standing, problem: string | null) {
    t.is(judgePort({ kept, fresh }, { takenBefore: 7, timeoutMs: 400 }), problem);
  },
  title: (what = '') => what,
});

test('A port that answers on both connections is well', judged, well(), well(), null);
test('A port that answers on the kept connection is well', judged, well(), none, null);
test('A port that hangs on the kept connection only is well', judged, silent, well(), null);
test(
  'F102: a port whose new connections wait behind others is well',
  judged,
  well(8),
  silent,
  null,
);
test('F12: a port that takes nobody is not well', judged, well(7), silent, DEAF);
test('F12: a port that takes us not, and says no more, is not well', judged, well(), silent, DEAF);
test('F12: a port that refuses a new connection is not well', judged, well(8), bad, 'ECONNREFUSED');
test('A port that answers wrongly is not well', judged, bad, well(), 'ECONNREFUSED');
test('A port that is silent on both is not well', judged, silent, silent, SILENT);
test('A port that is silent, with nothing else asked, is not well', judged, silent, none, SILENT);
test('A port of which nothing is kept must take us in time', judged, none, silent, SILENT);

test('That others are taken proves nothing while nobody knows how many were before', (t) => {
  const standings = { kept: well(8), fresh: silent };
  t.is(judgePort(standings, { takenBefore: null, timeoutMs: 400 }), DEAF);
  t.deepEqual([well(8), well(), silent, none, bad].map(takenOf), [8, null, null, null, null]);
});

test('A check is decided once nothing is awaited, or something is bad', (t) => {
  t.true(isDecided({ kept: well(), fresh: none }));
  t.true(isDecided({ kept: none, fresh: well() }));
  t.false(isDecided({ kept: silent, fresh: well() }));
  t.false(isDecided({ kept: well(), fresh: silent }));
  t.true(isDecided({ kept: silent, fresh: bad }));
  t.true(isDecided({ kept: bad, fresh: silent }));
});

test('A new connection is opened by each fourth check, by each in doubt, and when none is kept', (t) => {
  const dueAt = (isInDoubt: boolean, kept: Standing) =>
    [1, 2, 3, 4, 5, 6, 7, 8].filter((check) => isFreshDue(check, { isInDoubt, kept }));
  t.deepEqual(dueAt(false, well()), [4, 8]);
  t.deepEqual(dueAt(true, well()), [1, 2, 3, 4, 5, 6, 7, 8]);
  t.deepEqual(dueAt(false, none), [1, 2, 3, 4, 5, 6, 7, 8]);
});
