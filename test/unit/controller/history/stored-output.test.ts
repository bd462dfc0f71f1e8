import { storedPart } from '@understudy/controller/history/stored-output';
import test from 'ava';

const piece = (offset: number, text: string) => ({ offset, data: Buffer.from(text) });
const stored = (offset: number, text: string, known: number, limit = 100) => {
  const part = storedPart(piece(offset, text), known, limit);
  return part === null ? null : [part.start, part.data.toString()];
};

test('what is known already is not stored again', (t) => {
  t.deepEqual(stored(0, 'hello', 0), [0, 'hello']);
  t.deepEqual(stored(0, 'hello', 2), [2, 'llo']);
  t.is(stored(0, 'hello', 5), null);
  t.is(stored(0, 'hello', 50), null);
});

test('what goes beyond the limit is not stored, at its edge to the byte', (t) => {
  t.deepEqual(stored(96, 'hello', 96), [96, 'hell']);
  t.deepEqual(stored(90, 'hello world', 96), [96, 'worl']);
  t.is(stored(100, 'hello', 100), null);
  t.is(stored(5_000, 'hello', 100), null);
  t.is(stored(0, 'hello', 0, 0), null);
});
