import type { HeartbeatStatus } from '@understudy/scripts/cli/client/heartbeat-status';
import { promiseRows, promiseTable } from '@understudy/scripts/cli/explain/promise-table';
import { showLeft, warningsOf } from '@understudy/scripts/cli/explain/warnings';
import type { MeasuredView } from '@understudy/shared/protocol/events';
import test from 'ava';

function measured(failure: string, count: number, worstMs: number): MeasuredView {
  const last = {
    ...{ interruptedMs: 41.5, at: '2026-01-31T12:00:00.000Z', term: '7', from: 'a', to: 'b' },
    ...{ measured: 'demotion-to-serving', event: 'x' },
  };
  return { failure, count, worstMs, last };
}

function statusOf(rest: Partial<HeartbeatStatus>): HeartbeatStatus {
  return {
    ...{ pair: 'p', node: 'a', role: 'active', ready: false, phase: 'serving', term: '3' },
    ...{ notReady: [], disagreements: [], active: null, failsafe: false, paused: false },
    ...{ promise: [], measured: [] },
    ...rest,
  };
}

const promise = [
  { failure: 'controller-crash', worstMs: 1_000, formula: '' },
  { failure: 'host-loss', worstMs: 2_000, formula: '' },
];

test('promise and measurement stand side by side, and what never happened is a dash', (t) => {
  const rows = promiseRows([
    statusOf({ promise, measured: [measured('controller-crash', 1, 90)] }),
    statusOf({ promise, measured: [measured('controller-crash', 3, 180)] }),
  ]);
  t.is(
    promiseTable(rows),
    [
      'INTERRUPTION BY   PROMISED  LAST     WORST   TIMES  LAST TIME',
      'controller crash  1000 ms   41.5 ms  180 ms  3      2026-01-31 12:00:00 a -> b',
      'lost host         2000 ms   -        -       0      -',
    ].join('\n'),
  );
});

test('a broken promise is marked', (t) => {
  const rows = promiseRows([statusOf({ promise, measured: [measured('host-loss', 1, 2_300)] })]);
  t.regex(promiseTable(rows), /2300 ms \(BROKEN\)/);
});

test('failsafe is said loudly, a pause with the time that is left', (t) => {
  t.deepEqual(warningsOf([statusOf({})]), []);
  const [failsafe] = warningsOf([statusOf({ failsafe: true })]);
  t.regex(failsafe ?? '', /^!!! FAILSAFE: a can not reach the database/);
  const paused = statusOf({ paused: true, pausedForMs: 1_740_000 });
  t.deepEqual(warningsOf([paused, paused]), [
    'PAUSED for another 29m: no automatic change of roles. `understudy resume` ends it now.',
  ]);
  t.is(showLeft(400), '1s');
  t.is(showLeft(61_000), '61s');
});
