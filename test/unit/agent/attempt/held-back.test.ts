import { heldBack } from '@understudy/agent/attempt/held-back';
import test from 'ava';

const held = (piece: string, ...values: readonly string[]) =>
  heldBack(
    Buffer.from(piece),
    values.map((value) => Buffer.from(value)),
  );

test('F125: the beginning of a secret at the end of a piece waits, and nothing else does', (t) => {
  t.is(held('it is hunt', 'hunter2'), 4);
  t.is(held('it is hunter2', 'hunter2'), 0);
  t.is(held('hunt', 'hunter2'), 4);
  t.is(held('it is h', 'hunter2', 'is house'), 4);
  t.is(held('aaa', 'aaaab'), 3);
  t.is(held('it is', 'hunter2'), 0);
  t.is(held('it is'), 0);
  t.is(held('', 'hunter2'), 0);
});
