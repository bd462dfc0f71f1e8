import { EventBook } from '@understudy/heartbeat/events/book';
import { draft } from '@understudy/heartbeat/events/draft';
import { placeOf } from '@understudy/shared/protocol/events';
import test from 'ava';

const AT = 1_700_000_000_000;

function bookOf(capacity: number): EventBook {
  return new EventBook({ node: 'a', incarnation: 'one', capacity });
}

test('events are numbered in the order in which they were told', (t) => {
  const book = bookOf(10);
  const [first, second] = [
    book.add(draft('k', 'x', { term: 5n }), AT),
    book.add(draft('k', 'y'), AT),
  ];
  t.deepEqual([first.seq, second.seq, first.term, second.term], [1, 2, '5', null]);
  t.deepEqual(book.list(null, 10), [first, second]);
  t.deepEqual(book.list(placeOf(first), 10), [second]);
  t.deepEqual(book.list(null, 1), [second]);
});

test('a full book drops the oldest, and counts those that were never written', (t) => {
  const book = bookOf(3);
  for (let at = 0; at < 3; at += 1) book.add(draft('k', `${at}`), AT + at);
  book.written(1);
  book.add(draft('k', '3'), AT + 3);
  t.is(book.dropped, 0);
  book.add(draft('k', '4'), AT + 4);
  t.is(book.dropped, 1);
  t.deepEqual(
    book.list(null, 10).map((event) => event.message),
    ['2', '3', '4'],
  );
  t.deepEqual(
    book.unwritten(2).map((event) => event.seq),
    [3, 4],
  );
});

test('an event that is told late stands where it happened', (t) => {
  const book = bookOf(10);
  const later = book.add(draft('k', 'later'), AT + 5);
  const earlier = book.add(draft('k', 'earlier'), AT);
  t.deepEqual(book.list(null, 10), [earlier, later]);
});
