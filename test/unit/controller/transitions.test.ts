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
import { makeRun, moment, noRetries, running } from './make-run.ts';

const exited = (exitCode: number) => ({
  at: 900,
  outcome: 'exited' as const,
  exitCode,
  signal: null,
  reason: null,
});
const often = { ...noRetries, limit: 5 };

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
  const retries = { ...noRetries, limit: 2 };
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

test('with exit codes to try again after, nothing else is tried again', (t) => {
  const retries = { ...often, exitCodes: [75, 111] };
  const run = () => running(makeRun({ delivery: 'at-least-once', retries }));
  t.is(endAttempt(run(), exited(75), moment).state, 'queued');
  t.is(endAttempt(run(), exited(1), moment).state, 'failed');
  const killed = { ...exited(0), outcome: 'signalled' as const, exitCode: null, signal: 'SIGSEGV' };
  t.is(endAttempt(run(), killed, moment).state, 'failed');
  t.is(endAttempt(run(), { ...killed, outcome: 'timed-out' }, moment).state, 'timed-out');
});

test('no pause before another attempt is longer than the longest', (t) => {
  const retries = { ...often, maxDelayMs: 250 };
  const pauses: number[] = [];
  let run = makeRun({ delivery: 'at-least-once', retries });
  for (let attempt = 0; attempt < 4; attempt += 1) {
    run = endAttempt(running(run), exited(1), moment);
    pauses.push((run.notBefore ?? 0) - moment.now);
  }
  t.deepEqual(pauses, [100, 200, 250, 250]);
});

test('a job that gives up with its agent is lost with it, in either delivery class', (t) => {
  for (const delivery of ['at-most-once', 'at-least-once'] as const) {
    const run = loseAttempt(running(makeRun({ delivery, onAgentLost: 'fail' })), 'gone', moment);
    t.is(run.state, 'lost');
  }
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
