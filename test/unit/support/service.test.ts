import test from 'ava';
import {
  longestGapMs,
  recoveryFaults,
  type Served,
  servingFaults,
  termChangeFaults,
} from '../../support/invariants/service.ts';

const MS = 1_000_000n;
const served = (node: string, term: bigint, sentMs: bigint, receivedMs: bigint): Served => ({
  node,
  term,
  sentAt: sentMs * MS,
  receivedAt: receivedMs * MS,
});

test('I2 accepts one node after the other', (t) => {
  const answers = [served('a', 1n, 0n, 5n), served('a', 1n, 9n, 12n), served('b', 2n, 20n, 25n)];
  t.deepEqual(servingFaults(answers), []);
});

test('I2 accepts an answer that was under way when the next term began', (t) => {
  t.deepEqual(servingFaults([served('b', 2n, 20n, 25n), served('a', 1n, 19n, 30n)]), []);
});

test('I2 refuses an old term that answers a request sent after the new term was seen', (t) => {
  const found = servingFaults([
    served('a', 1n, 0n, 5n),
    served('b', 2n, 20n, 25n),
    served('b', 3n, 60n, 65n),
    served('a', 1n, 40n, 45n),
  ]);
  t.deepEqual(found, ['I2: term 1 was served 15 ms after term 2 had begun']);
});

test('I2 refuses two nodes in one term', (t) => {
  t.is(servingFaults([served('a', 1n, 0n, 5n), served('b', 1n, 6n, 7n)]).length, 1);
});

const healed = { healedAt: 100n * MS, boundMs: 50, successes: [10n * MS, 140n * MS] };

test('I10 accepts one active and a write in time', (t) => {
  t.deepEqual(recoveryFaults({ ...healed, actives: ['b'] }), []);
});

test('I10 refuses none active, two active, and writes too early or too late', (t) => {
  t.is(recoveryFaults({ ...healed, actives: [] }).length, 1);
  t.is(recoveryFaults({ ...healed, actives: ['a', 'b'] }).length, 1);
  t.is(recoveryFaults({ ...healed, actives: ['b'], successes: [99n * MS, 151n * MS] }).length, 1);
});

test('the longest gap lies between neighbours, in whatever order they were recorded', (t) => {
  t.is(longestGapMs([30n * MS, 0n, 10n * MS, 85n * MS]), 55);
  t.is(longestGapMs([]), 0);
});

test('I16 accepts the same term and refuses another', (t) => {
  t.deepEqual(termChangeFaults(4n, 4n), []);
  t.is(termChangeFaults(4n, 5n).length, 1);
});
