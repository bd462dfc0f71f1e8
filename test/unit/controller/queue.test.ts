import { RunQueue, type Waiting } from '@understudy/controller/dispatch/queue';
import test from 'ava';

const waiting = (id: string, over: Partial<Waiting> = {}): Waiting => ({
  id,
  job: 'j',
  priority: 0,
  selector: {},
  serial: false,
  ...over,
});
const agent = (id: string, free: number, labels: Record<string, string> = {}) => ({
  id,
  free,
  labels,
});
const idle = () => false;

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

test('of a serial job one run is given out, and the next when the job is idle, in order', (t) => {
  const queue = queueOf(
    ...['a', 'b', 'c'].map((id) => waiting(id, { job: 's', serial: true })),
    waiting('d', { job: 'other' }),
  );
  const first = queue.take([agent('w1', 9)], idle).map(({ run }) => run);
  t.deepEqual(first, ['a', 'd']);
  t.deepEqual(
    queue.take([agent('w1', 9)], () => true),
    [],
  );
  t.deepEqual(
    queue.take([agent('w1', 9)], idle).map(({ run }) => run),
    ['b'],
  );
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
