import { Words } from '@understudy/heartbeat/events/words';
import test from 'ava';

test('a word is told once for each term, however often it is asked for', (t) => {
  const words = new Words();
  const given = words.onEvent({ kind: 'testified', term: 5n });
  t.is(given?.kind, 'testified');
  t.regex(given?.rule ?? '', /no grant up to that term is used/);
  t.is(words.onEvent({ kind: 'testified', term: 5n }), null);
  t.is(words.onEvent({ kind: 'testified', term: 6n })?.term, 6n);
});

test('a word that was received names who gave it; other events are none', (t) => {
  const words = new Words();
  t.regex(
    words.onEvent({ kind: 'testimony', node: 'b', term: 5n })?.message ?? '',
    /host of b gave/,
  );
  t.is(words.onEvent({ kind: 'testimony', node: 'b', term: 5n }), null);
  t.not(words.onEvent({ kind: 'testimony', node: 'c', term: 5n }), null);
  t.is(words.onEvent({ kind: 'tick' }), null);
});
