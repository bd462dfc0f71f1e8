import {
  type LastService,
  measureInterruption,
  type Takeover,
} from '@understudy/heartbeat/events/interruption';
import test from 'ava';

const takeover: Takeover = {
  ...{ term: 7n, basis: 'released', servingAt: 1_000, told: [] },
  lastRenewal: { node: 'a', term: 6n, at: 400 },
  storeTroubleAt: Number.NEGATIVE_INFINITY,
};

function told(change: Partial<LastService> = {}): LastService {
  return { node: 'a', term: 6n, at: 900, how: 'demotion', reason: 'controller-ended', ...change };
}

test('the word of the node that served before counts', (t) => {
  t.deepEqual(measureInterruption({ ...takeover, told: [told()] }), {
    failure: 'controller-crash',
    from: 'a',
    interruptedMs: 100,
    measured: 'demotion-to-serving',
  });
});

test('a controller that hung counts from its last good check', (t) => {
  const hung = told({ at: 300, how: 'last-good-check', reason: 'controller-unhealthy' });
  const found = measureInterruption({ ...takeover, told: [hung] });
  t.is(found.failure, 'controller-freeze');
  t.is(found.interruptedMs, 700);
  t.is(found.measured, 'last-good-check-to-serving');
});

test('a node that can say nothing more counts from the last renewal that was seen', (t) => {
  const found = measureInterruption({ ...takeover, basis: 'silence' });
  t.deepEqual([found.failure, found.interruptedMs], ['host-loss', 600]);
  t.is(found.measured, 'last-renewal-to-serving');
});

test('what was told of an older term does not count for a newer service', (t) => {
  const old = told({ term: 4n, at: 100 });
  const found = measureInterruption({ ...takeover, basis: 'testified', told: [old] });
  t.deepEqual([found.failure, found.interruptedMs], ['heartbeat-crash', 600]);
});

test('a node that serves again counts from the end of its own service', (t) => {
  const own = told({ node: 'b', term: 6n, at: 950 });
  const found = measureInterruption({
    ...takeover,
    told: [own],
    lastRenewal: { node: 'a', term: 5n, at: 10 },
  });
  t.deepEqual([found.from, found.interruptedMs], ['b', 50]);
});

test('a switch-over counts from the hold', (t) => {
  const held = told({ how: 'hold', reason: 'handed-over', at: 940 });
  const found = measureInterruption({ ...takeover, basis: 'handed-over', told: [held] });
  t.deepEqual(
    [found.failure, found.measured, found.interruptedMs],
    ['switchover', 'hold-to-serving', 60],
  );
});

test('a planned stop is measured, but nothing was promised for it', (t) => {
  const found = measureInterruption({ ...takeover, told: [told({ reason: 'asked-to-stop' })] });
  t.deepEqual([found.failure, found.interruptedMs], [null, 100]);
});

test('the first service of a pair interrupts nothing', (t) => {
  const found = measureInterruption({ ...takeover, lastRenewal: null });
  t.deepEqual([found.from, found.interruptedMs, found.measured], [null, null, 'not-seen']);
});

test('a database that only the active lost is another failure than one that is away for all', (t) => {
  const lost = { ...takeover, told: [told({ reason: 'trust-ran-out' })] };
  t.is(measureInterruption(lost).failure, 'database-of-active');
  t.is(measureInterruption({ ...lost, storeTroubleAt: 500 }).failure, null);
});
