import { Starts } from '@understudy/agent/executor/starts';
import test from 'ava';

const LONG_MS = 60_000;

test('who turns out to have been started is explained once that start is over', async (t) => {
  const starts = new Starts();
  const done = starts.begin();
  const explained = starts.explain([41, 42], LONG_MS);
  starts.came(42);
  starts.came(41);
  done();
  t.true(await explained);
});

test('who came of no start is not explained by later starts', async (t) => {
  const starts = new Starts();
  const done = starts.begin();
  const explained = starts.explain([41, 42], LONG_MS);
  const later = starts.begin();
  starts.came(42);
  done();
  t.false(await explained);
  later();
});

test('nobody needs no explanation, and somebody gets none while nothing is being started', async (t) => {
  const starts = new Starts();
  t.true(await starts.explain([], LONG_MS));
  t.false(await starts.explain([41], LONG_MS));
  starts.begin();
  t.true(await starts.explain([], LONG_MS));
});

test('a start that takes too long explains nothing', async (t) => {
  const starts = new Starts();
  starts.begin();
  t.false(await starts.explain([41], 1));
});

test('the first start that is not over is known', (t) => {
  const starts = new Starts();
  t.is(starts.firstOpen, Number.POSITIVE_INFINITY);
  const first = starts.begin();
  const second = starts.begin();
  t.deepEqual([starts.firstOpen, starts.last], [1, 2]);
  first();
  t.is(starts.firstOpen, 2);
  second();
  t.is(starts.firstOpen, Number.POSITIVE_INFINITY);
});
