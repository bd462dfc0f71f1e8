import { mayFollow } from '@understudy/controller/dispatch/run';
import {
  cancelRun,
  dispatchRun,
  endAttempt,
  loseAttempt,
  refuseAttempt,
  waitMs,
} from '@understudy/controller/dispatch/transitions';
import { runStates } from '@understudy/shared/protocol/api';
import test from 'ava';
import { makeRun, moment, running } from './make-run.ts';

const exited = (exitCode: number) => ({
  at: 900,
  outcome: 'exited' as const,
  exitCode,
  signal: null,
  reason: null,
});
const often = { limit: 5, delayMs: 100, backoff: 2 };

test('a state in which a run is over is followed by nothing', (t) => {
  const over = ['succeeded', 'failed', 'timed-out', 'cancelled', 'lost', 'skipped'] as const;
  for (const last of over) for (const next of runStates) t.false(mayFollow(last, next));
});

test('a run that exits with 0 has succeeded', (t) => {
  const run = endAttempt(running(makeRun()), exited(0), moment);
  t.is(run.state, 'succeeded');
  t.is(run.attempts[0]?.state, 'succeeded');
  t.is(run.term, 7n);
});

test('an at-most-once run whose agent is lost is lost, whatever its retries are', (t) => {
  t.is(loseAttempt(running(makeRun({ retries: often })), 'gone', moment).state, 'lost');
});

test('an at-least-once run whose agent is lost waits for another attempt', (t) => {
  const run = loseAttempt(running(makeRun({ delivery: 'at-least-once' })), 'gone', moment);
  t.is(run.state, 'queued');
  t.is(run.attempts[0]?.state, 'lost');
  t.is(dispatchRun(run, 'w2', moment).attempts.length, 2);
});

test('an at-most-once run that started is not started again because it failed', (t) => {
  t.is(endAttempt(running(makeRun({ retries: often })), exited(1), moment).state, 'failed');
});

test('an at-least-once run that fails is tried again, each pause longer, until its limit', (t) => {
  const retries = { limit: 2, delayMs: 100, backoff: 2 };
  const first = endAttempt(
    running(makeRun({ delivery: 'at-least-once', retries })),
    exited(1),
    moment,
  );
  const second = endAttempt(running(first), exited(1), moment);
  t.deepEqual([first.state, second.state], ['queued', 'queued']);
  t.true((second.notBefore ?? 0) > (first.notBefore ?? 0));
  t.is(endAttempt(running(second), exited(1), moment).state, 'failed');
});

test('a run whose order was refused is queued again in either delivery class', (t) => {
  for (const delivery of ['at-most-once', 'at-least-once'] as const) {
    const run = refuseAttempt(dispatchRun(makeRun({ delivery }), 'w1', moment), 'no-slot', moment);
    t.is(run.state, 'queued');
  }
});

test('nobody waits longer than the pause that was meant, whatever the last host took for the time', (t) => {
  const failed = endAttempt(
    running(makeRun({ delivery: 'at-least-once', retries: often })),
    exited(1),
    moment,
  );
  t.is(waitMs(failed, moment.now), 100);
  t.is(waitMs(failed, moment.now + 60), 40);
  t.is(waitMs(failed, moment.now + 3_600_000), 0);
  t.true(waitMs(failed, moment.now - 3_600_000) <= 1_000);
  t.is(waitMs(makeRun(), moment.now), 0);
});

test('a queued run is cancelled at once, a running one when its agent says so', (t) => {
  t.is(cancelRun(makeRun(), 'enough', moment).state, 'cancelled');
  const asked = cancelRun(running(makeRun({ delivery: 'at-least-once' })), 'enough', moment);
  t.is(asked.state, 'running');
  const end = { ...exited(0), outcome: 'cancelled' as const, exitCode: null };
  t.is(endAttempt(asked, end, moment).state, 'cancelled');
});
