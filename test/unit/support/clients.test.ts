import test from 'ava';
import { interruptedRequests } from '../../support/invariants/clients.ts';

test('I12 accepts a request that is answered at once, or when it is repeated', (t) => {
  t.deepEqual(
    interruptedRequests([
      { request: 'one', tries: ['answered'] },
      { request: 'two', tries: ['broken', 'answered'] },
    ]),
    [],
  );
});

test('I12 refuses a request that has to be repeated twice, and one that is never answered', (t) => {
  const found = interruptedRequests([
    { request: 'one', tries: ['broken', 'refused', 'answered'] },
    { request: 'two', tries: ['refused'] },
    { request: 'three', tries: [] },
  ]);
  t.is(found.length, 3);
});
