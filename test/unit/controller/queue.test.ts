import { RunQueue, type Waiting } from '@understudy/controller/dispatch/queue';
import test from 'ava';

const waiting = (id: string, over: Partial<Waiting> = {}): Waiting => ({
  id,
  line: 'j',
  priority: 0,
  selector: {},
  target: null,
  limit: null,
  ...over,
});
const agent = (id: string, free: number, labels: Record<string, string> = {}) => ({
  id,
  free,
  labels,
});
const idle = () => 0;

function queueOf(...runs: readonly Waiting[]): RunQueue {
  const queue = new RunQueue();
  for (const run of runs) queue.add(run);
  return queue;
}

test('higher priority goes first, then first come first served', (t) => {
  const queue = queueOf(waiting('a'), waiting('b'), waiting('c', { priority: 5 }));
  const given = queue.take([agent('w1', 2)], idle).map(({ run }) => run);
  t.deepEqual(given, ['c', 'a']);
  t.is(queue.size, 1);
});

test('no agent is given more than its free slots', (t) => {
  const queue = queueOf(...['a', 'b', 'c', 'd'].map((id) => waiting(id)));
  const given = queue.take([agent('w1', 1), agent('w2', 2)], idle);
  t.deepEqual(given.map((each) => each.agent).toSorted(), ['w1', 'w2', 'w2']);
});

test('a run goes only to an agent that has all labels it asks for', (t) => {
  const queue = queueOf(waiting('a', { selector: { zone: 'eu', gpu: 'true' } }));
  t.deepEqual(queue.take([agent('w1', 1, { zone: 'eu' })], idle), []);
  const able = agent('w2', 1, { zone: 'eu', gpu: 'true' });
  t.deepEqual(queue.take([able], idle), [{ run: 'a', agent: 'w2' }]);
});

test('of a serial line one run is given out, and the next when the job is idle, in order', (t) => {
  const queue = queueOf(
    ...['a', 'b', 'c'].map((id) => waiting(id, { line: 's', limit: 1 })),
    waiting('d', { line: 'other' }),
  );
  const first = queue.take([agent('w1', 9)], idle).map(({ run }) => run);
  t.deepEqual(first, ['a', 'd']);
  t.deepEqual(
    queue.take([agent('w1', 9)], () => 1),
    [],
  );
  t.deepEqual(
    queue.take([agent('w1', 9)], idle).map(({ run }) => run),
    ['b'],
  );
});

test('a run for one agent goes to that agent only, and holds up no other', (t) => {
  const queue = queueOf(
    waiting('a', { target: 'w2' }),
    waiting('b'),
    waiting('c', { target: 'w2', selector: { zone: 'eu' } }),
  );
  const first = queue.take([agent('w1', 9)], idle);
  t.deepEqual(first, [{ run: 'b', agent: 'w1' }]);
  const second = queue.take([agent('w1', 9), agent('w2', 9)], idle);
  t.deepEqual(second, [{ run: 'a', agent: 'w2' }], 'w2 has lost the label that c asks for');
  t.is(queue.size, 1);
});

test('of a line with a limit so many runs are given out at once, in order', (t) => {
  const queue = queueOf(
    ...['a', 'b', 'c', 'd', 'e'].map((id) => waiting(id, { line: 's', limit: 3 })),
    waiting('f', { line: 'other' }),
  );
  const take = (underWay: number) =>
    queue.take([agent('w1', 9)], (job) => (job === 's' ? underWay : 0)).map(({ run }) => run);
  t.deepEqual(take(1), ['a', 'b', 'f']);
  t.deepEqual(take(3), []);
  t.deepEqual(take(2), ['c']);
  t.deepEqual(take(0), ['d', 'e']);
});

test('a run that was removed is not given out', (t) => {
  const queue = queueOf(waiting('a'), waiting('b'));
  queue.remove('a');
  t.deepEqual(
    queue.take([agent('w1', 9)], idle).map(({ run }) => run),
    ['b'],
  );
});

test('a run that was removed and comes back is given out once', (t) => {
  const queue = queueOf(waiting('a'));
  queue.remove('a');
  queue.add(waiting('a'));
  t.deepEqual(queue.take([agent('w1', 9)], idle), [{ run: 'a', agent: 'w1' }]);
});

test('with 10,000 runs of a busy serial job few are looked at, and other jobs are not held up', (t) => {
  let looks = 0;
  const queue = new RunQueue();
  for (let i = 0; i < 10_000; i += 1) {
    const run = waiting(`s${i}`, { line: 's' });
    queue.add({
      ...run,
      get limit() {
        looks += 1;
        return 1;
      },
    } as Waiting);
  }
  queue.add(waiting('d', { line: 'other' }));
  looks = 0;
  const isBusy = (job: string) => (job === 's' ? 1 : 0);
  t.deepEqual(queue.take([agent('w1', 9)], isBusy), [{ run: 'd', agent: 'w1' }]);
  t.deepEqual(queue.take([agent('w1', 9)], idle), [{ run: 's0', agent: 'w1' }]);
  t.true(looks < 10, `looked ${looks} times`);
});

test('runs of serial jobs keep their order among those of other jobs, whatever was removed', (t) => {
  const serial = (id: string, line: string) => waiting(id, { line, limit: 1 });
  const queue = queueOf(serial('a1', 'a'), serial('b1', 'b'), serial('a2', 'a'), serial('a3', 'a'));
  queue.add(waiting('c'));
  queue.add(serial('b2', 'b'));
  queue.remove('a1');
  queue.remove('a2');
  const take = () => queue.take([agent('w1', 2)], idle).map(({ run }) => run);
  t.deepEqual([take(), take(), take()], [['b1', 'a3'], ['c', 'b2'], []]);
  queue.add(serial('a4', 'a'));
  t.deepEqual(take(), ['a4']);
  t.is(queue.size, 0);
});
