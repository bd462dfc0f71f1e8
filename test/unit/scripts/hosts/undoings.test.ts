import { Undoings } from '@understudy/scripts/hosts/undoings';
import test from 'ava';

test('what was done last is undone first, and once', async (t) => {
  const undoings = new Undoings();
  const undone: string[] = [];
  for (const name of ['first', 'second']) undoings.teardown(() => void undone.push(name));
  await undoings.undo();
  await undoings.undo();
  t.deepEqual(undone, ['second', 'first']);
});

test('what can not be undone keeps nothing else from it, and is told', async (t) => {
  const undoings = new Undoings();
  let isUndone = false;
  undoings.teardown(() => {
    isUndone = true;
  });
  undoings.teardown(() => Promise.reject(new Error('it is stuck')));
  await t.throwsAsync(undoings.undo(), { message: 'it is stuck' });
  t.true(isUndone);
});
