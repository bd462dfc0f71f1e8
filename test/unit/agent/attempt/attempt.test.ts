import {
  attemptId,
  type End,
  isSettledBy,
  orderedAttempt,
  stepAttempt,
} from '@understudy/agent/attempt/attempt';
import { decideStart, type Situation } from '@understudy/agent/attempt/decide';
import { dueOf } from '@understudy/agent/attempt/due';
import { InvariantError } from '@understudy/shared/kernel/invariant';
import test from 'ava';
import fc from 'fast-check';

const ordered = orderedAttempt({ run: 'r', attempt: 1 }, 7n);
const journalled = stepAttempt(ordered, { type: 'journalled' });
const running = stepAttempt(journalled, { type: 'started', start: { atMs: 5, pid: 42 } });
const end: End = {
  atMs: 9,
  outcome: 'exited',
  exitCode: 0,
  signal: null,
  reason: null,
  logBytes: 10,
};
const ended = stepAttempt(running, { type: 'ended', end });
const acknowledged = stepAttempt(ended, { type: 'end-acknowledged' });

const situation: Situation = {
  highest: 7n,
  known: undefined,
  refused: undefined,
  open: 0,
  slots: 1,
  closing: 'no',
};

test('an attempt can not start before the journal knows it', (t) => {
  const start = { type: 'started', start: { atMs: 5, pid: 42 } } as const;
  t.throws(() => stepAttempt(ordered, start), { instanceOf: InvariantError });
});

test('an attempt can not start or end twice', (t) => {
  const start = { type: 'started', start: { atMs: 5, pid: 42 } } as const;
  t.throws(() => stepAttempt(running, start), { instanceOf: InvariantError });
  t.throws(() => stepAttempt(ended, { type: 'ended', end }), { instanceOf: InvariantError });
});

test('a start, the output and an end are due in this order until they are acknowledged', (t) => {
  t.is(dueOf(journalled, 0, 100), null);
  t.deepEqual(dueOf(running, 3, 100), { start: running.start, log: { from: 0, to: 3 }, end: null });
  const told = stepAttempt(running, { type: 'start-acknowledged' });
  t.is(dueOf(told, 0, 100), null);
  const stored = stepAttempt(told, { type: 'log-acknowledged', upTo: 3 });
  t.is(dueOf(stored, 3, 100), null);
  t.deepEqual(dueOf(stored, 8, 100)?.log, { from: 3, to: 8 });
  const over = stepAttempt(stored, { type: 'ended', end });
  t.deepEqual(dueOf(over, 0, 100), { start: null, log: { from: 3, to: 10 }, end });
  t.is(dueOf(acknowledged, 0, 100), null);
});

test('the start of a short attempt is told with its end or its output, that of a longer one at once', (t) => {
  t.is(dueOf(running, 0, 14), null);
  t.deepEqual(dueOf(running, 0, 15), { start: running.start, log: null, end: null });
  t.deepEqual(dueOf(running, 3, 5)?.start, running.start);
  t.deepEqual(dueOf(ended, 0, 9)?.start, running.start);
});

test('an attempt that is asked for again is reported again, and its stored output is not', (t) => {
  const stored = stepAttempt(acknowledged, { type: 'log-acknowledged', upTo: 10 });
  const again = stepAttempt(stored, { type: 'asked-again' });
  t.deepEqual(dueOf(again, 0, 100), { start: again.start, log: null, end });
});

test('what was reported before an order came again does not answer it, whenever it is acknowledged', (t) => {
  const reported = ended;
  t.true(isSettledBy(ended, reported));
  const again = stepAttempt(ended, { type: 'asked-again' });
  t.false(isSettledBy(again, reported));
  t.true(isSettledBy(again, again));
  t.false(isSettledBy(undefined, reported));
});

test('an order of a lower term is refused, whatever it asks for', (t) => {
  t.deepEqual(decideStart(6n, situation), { type: 'refuse', reason: 'stale-term' });
  const known = { ...situation, known: running };
  t.deepEqual(decideStart(6n, known), { type: 'refuse', reason: 'stale-term' });
});

test('an order for a known attempt is answered, also when there is no slot', (t) => {
  for (const known of [ordered, journalled, running, ended, acknowledged]) {
    t.deepEqual(decideStart(8n, { ...situation, known, open: 1 }), { type: 'answer' });
  }
});

test('an order is refused without a slot and while the agent closes', (t) => {
  t.deepEqual(decideStart(7n, { ...situation, open: 1 }), { type: 'refuse', reason: 'no-slot' });
  for (const closing of ['draining', 'giving-up'] as const) {
    t.deepEqual(decideStart(7n, { ...situation, closing }), { type: 'refuse', reason: closing });
  }
});

test('an attempt that was refused for good is refused again when there is a slot', (t) => {
  const refused = { ...situation, refused: 'no-slot' } as const;
  t.deepEqual(decideStart(7n, refused), { type: 'refuse', reason: 'no-slot' });
});

test('whatever is ordered in whatever order, no attempt starts twice and no lower term is acted on', (t) => {
  const anyOrder = fc.record({
    run: fc.constantFrom('r1', 'r2', 'r3'),
    attempt: fc.integer({ min: 1, max: 2 }),
    term: fc.bigInt({ min: 1n, max: 5n }),
    ends: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(anyOrder, { maxLength: 60 }), (orders) => {
      const attempts = new Map<string, ReturnType<typeof orderedAttempt>>();
      const started = new Set<string>();
      let highest = 0n;
      for (const order of orders) {
        const id = attemptId(order);
        if (order.term > highest) highest = order.term;
        const open = [...attempts.values()].filter(({ end: over }) => over === null).length;
        const known = attempts.get(id);
        const now = { ...situation, highest, known, open, slots: 2 };
        if (decideStart(order.term, now).type !== 'start') continue;
        if (started.has(id)) throw new Error(`${id} starts twice`);
        if (order.term < highest) throw new Error('a lower term is acted on');
        started.add(id);
        const begun = stepAttempt(orderedAttempt(order, order.term), { type: 'journalled' });
        attempts.set(id, order.ends ? stepAttempt(begun, { type: 'ended', end }) : begun);
      }
    }),
    { numRuns: 2_000 },
  );
  t.pass();
});
