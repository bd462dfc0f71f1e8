import {
  causeOf,
  FollowerIndex,
  isFollowed,
  keyOfFollower,
} from '@understudy/controller/dispatch/after';
import { type After, runStates } from '@understudy/shared/protocol/api';
import test from 'ava';

const after = (...jobs: readonly string[]): After[] =>
  jobs.map((job) => ({ job, on: 'succeeded' }));

test('a run follows the ends that its job waits for, and nothing that never was', (t) => {
  const followed = (on: After['on']) => runStates.filter((state) => isFollowed(on, state));
  t.deepEqual(followed('succeeded'), ['succeeded']);
  t.deepEqual(followed('failed'), ['failed', 'timed-out', 'lost']);
  t.deepEqual(followed('ended'), ['succeeded', 'failed', 'timed-out', 'cancelled', 'lost']);
});

test('a job follows what it was last said to run after, once for each end', (t) => {
  const index = new FollowerIndex();
  index.set('b', [
    { job: 'a', on: 'succeeded' },
    { job: 'a', on: 'ended' },
  ]);
  index.set('c', [{ job: 'a', on: 'failed' }]);
  t.deepEqual(index.of('a', 'succeeded'), ['b']);
  t.deepEqual(index.of('a', 'lost'), ['b', 'c']);
  t.deepEqual(index.of('b', 'succeeded'), []);
  index.set('b', after('c'));
  t.deepEqual(index.of('a', 'succeeded'), []);
  t.deepEqual(index.of('c', 'succeeded'), ['b']);
  index.set('b', []);
  t.deepEqual(index.of('c', 'succeeded'), []);
});

test('F95: a loop is found, however long, and told in the order in which the jobs would run', (t) => {
  const index = new FollowerIndex();
  index.set('b', after('a'));
  index.set('c', after('other', 'b'));
  t.deepEqual(index.loopOf('a', after('c')), ['a', 'b', 'c', 'a']);
  t.deepEqual(index.loopOf('a', after('a')), ['a', 'a']);
  t.is(index.loopOf('a', after('other')), null);
  t.is(index.loopOf('c', after('a', 'b')), null);
});

test('what is shared by many ways is looked at once', (t) => {
  const index = new FollowerIndex();
  for (let level = 1; level < 60; level += 1) {
    for (const side of ['x', 'y']) {
      index.set(`${side}${level}`, after(`x${level - 1}`, `y${level - 1}`));
    }
  }
  t.is(index.loopOf('new', after('x59', 'y59')), null);
});

test('the key of a run that follows tells its cause, and no key of a user does', (t) => {
  t.is(causeOf(keyOfFollower('r1')), 'r1');
  for (const key of [null, 'after', 'after-r1', 'r1']) t.is(causeOf(key), null);
});
