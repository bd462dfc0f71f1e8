import test from 'ava';
import {
  grantFaults,
  type LeaseVersion,
  leaseRowFaults,
  runStateFaults,
  type StampedChange,
  staleChanges,
} from '../../support/invariants/store.ts';

const change = (term: bigint, grants = false): StampedChange => ({ table: 'runs', term, grants });

test('I1 accepts changes of each term between its grant and the next', (t) => {
  t.deepEqual(staleChanges([change(1n, true), change(1n), change(2n, true), change(2n)]), []);
});

test('I1 refuses a change of term 1 that was committed after the grant of term 2', (t) => {
  const found = staleChanges([change(1n, true), change(2n, true), change(1n), change(2n)]);
  t.is(found.length, 1);
  t.regex(found[0] ?? '', /change 2 of runs carries term 1 after term 2/);
});

test('I1 refuses a grant that lowers the term', (t) => {
  t.is(staleChanges([change(5n, true), change(4n, true)]).length, 1);
});

const version = (over: Partial<LeaseVersion>): LeaseVersion => ({
  term: 1n,
  node: 'a',
  incarnation: 'x',
  renewSeq: 0n,
  released: false,
  expiresAtMs: 1_000,
  ttlMs: 1_000,
  revivals: 0,
  ...over,
});

const goodLease = [
  version({}),
  version({ renewSeq: 1n, expiresAtMs: 1_900 }),
  version({ renewSeq: 1n, expiresAtMs: 1_900, released: true }),
  version({ term: 2n, node: 'b', incarnation: 'y', expiresAtMs: 3_500 }),
];

test('I3 and I4 accept grants, renewals and a release in order', (t) => {
  t.deepEqual(grantFaults(goodLease), []);
  t.deepEqual(leaseRowFaults(goodLease), []);
});

test('I3 refuses a term that falls, and one that comes back', (t) => {
  t.is(grantFaults([version({ term: 2n }), version({ term: 1n, node: 'b' })]).length, 1);
});

test('I3 refuses a term given to two lives', (t) => {
  t.is(grantFaults([version({}), version({ incarnation: 'y' })]).length, 1);
  t.is(grantFaults([version({}), version({ node: 'b' })]).length, 1);
});

test('I4 refuses a renewal that was skipped or taken back', (t) => {
  t.is(leaseRowFaults([version({}), version({ renewSeq: 2n })]).length, 1);
  t.is(leaseRowFaults([version({ renewSeq: 2n }), version({ renewSeq: 1n })]).length, 1);
});

test('I4 refuses a renewal that raises an expired lease from the dead', (t) => {
  t.is(leaseRowFaults([version({}), version({ renewSeq: 1n, expiresAtMs: 2_100 })]).length, 1);
  t.deepEqual(
    leaseRowFaults([version({}), version({ renewSeq: 1n, expiresAtMs: 2_100 })], 200),
    [],
  );
});

test('I4 refuses a released lease that comes back', (t) => {
  t.is(leaseRowFaults([version({ released: true }), version({})]).length, 1);
});

const history = (...states: string[]) => states.map((state) => ({ run: 'r', state, attempt: 1 }));

test('I7 accepts a run that ends, and one that is tried again', (t) => {
  t.deepEqual(runStateFaults(history('queued', 'dispatched', 'running', 'succeeded')), []);
  t.deepEqual(
    runStateFaults(history('queued', 'running', 'queued', 'dispatched', 'dispatched', 'lost')),
    [],
  );
});

test('I7 accepts a step back for another attempt, and refuses it without one', (t) => {
  const running = { run: 'r', state: 'running', attempt: 1 };
  t.deepEqual(runStateFaults([running, { ...running, state: 'dispatched', attempt: 2 }]), []);
  t.is(runStateFaults([running, { ...running, state: 'dispatched' }]).length, 1);
});

test('I7 refuses a run that goes on after its end, or backwards', (t) => {
  t.is(runStateFaults(history('queued', 'lost', 'succeeded')).length, 1);
  t.is(runStateFaults(history('succeeded', 'queued')).length, 1);
  t.is(runStateFaults(history('running', 'dispatched')).length, 1);
});

test('I7 refuses a state that it does not know', (t) => {
  t.is(runStateFaults(history('queued', 'vanished')).length, 1);
});
