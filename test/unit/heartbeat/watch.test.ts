import type { LeaseRow } from '@understudy/heartbeat/lease/port';
import { judge, nothingWatched, observe, observeAnew } from '@understudy/heartbeat/suspicion/watch';
import test from 'ava';

const options = { ttlMs: 1_000, renewEveryMs: 300, clockRateBound: 0.01 };
const row: LeaseRow = {
  term: 7n,
  holder: { node: 'a', incarnation: 'x' },
  renewSeq: 3n,
  released: false,
  storeSaysExpired: false,
  ttlMs: 1_000,
  timeline: 1,
  remainingMs: 1_000,
  pausedForMs: null,
};

test('Silence is counted from the receipt of the last change, not of the last reading', (t) => {
  let watch = observe(nothingWatched, row, 100);
  watch = observe(watch, row, 900);
  t.is(watch.changedAt, 100);
  t.is(judge(watch, 0n, 1_109, options).kind, 'wait');
  t.like(judge(watch, 0n, 1_111, options), { kind: 'claim', basis: 'silence' });
});

test('F75: the store saying "expired" alone is no reason to claim', (t) => {
  const watch = observe(nothingWatched, { ...row, storeSaysExpired: true }, 100);
  t.is(judge(watch, 0n, 500, options).kind, 'wait');
});

test('F76: after three lease times of silence the verdict of the store is not asked', (t) => {
  const watch = observe(nothingWatched, row, 0);
  t.like(judge(watch, 0n, 1_100, options), { evenIfNotExpired: false });
  t.like(judge(watch, 0n, 3_031, options), { evenIfNotExpired: true });
});

test('A renewal, a release, a new term and another timeline all begin the silence anew', (t) => {
  const watch = observe(nothingWatched, row, 0);
  for (const changed of [
    { ...row, renewSeq: 4n },
    { ...row, released: true },
    { ...row, term: 8n },
    { ...row, timeline: 2 },
  ]) {
    t.is(observe(watch, changed, 600).changedAt, 600);
  }
});

test('F90: the waiter uses the larger of both lease times', (t) => {
  const watch = observe(nothingWatched, { ...row, ttlMs: 5_000 }, 0);
  t.is(judge(watch, 0n, 2_000, options).kind, 'wait');
  t.is(judge(watch, 0n, 5_051, options).kind, 'claim');
});

test('A released lease is claimed at once', (t) => {
  const watch = observe(nothingWatched, { ...row, released: true }, 0);
  t.like(judge(watch, 0n, 0, options), { kind: 'claim', basis: 'released' });
});

test('A lease that nobody holds, but that is not free on this timeline, is claimed after silence', (t) => {
  const watch = observe(nothingWatched, { ...row, holder: null, term: 0n }, 0);
  t.is(judge(watch, 0n, 500, options).kind, 'wait');
  t.like(judge(watch, 0n, 1_111, options), { kind: 'claim', basis: 'silence' });
});

test('Testimony counts for its term and the ones below, not for a later one', (t) => {
  const watch = observe(nothingWatched, row, 0);
  t.like(judge(watch, 7n, 0, options), { kind: 'claim', basis: 'testified' });
  t.is(judge(watch, 6n, 0, options).kind, 'wait');
});

test('F33: after a suspension the observation window begins anew', (t) => {
  const watch = observeAnew(observe(nothingWatched, row, 0), 5_000);
  t.is(judge(watch, 0n, 5_500, options).kind, 'wait');
});

test('Missing renewals make suspicious long before they allow a claim', (t) => {
  const watch = observe(nothingWatched, row, 0);
  t.like(judge(watch, 0n, 500, options), { kind: 'wait', suspicious: false });
  t.like(judge(watch, 0n, 601, options), { kind: 'wait', suspicious: true });
});
