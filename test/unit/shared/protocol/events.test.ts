import {
  comparePlaces,
  eventId,
  eventPlace,
  mergeEvents,
  type PairEvent,
} from '@understudy/shared/protocol/events';
import test from 'ava';
import fc from 'fast-check';

const places = fc.record({
  atMs: fc.integer({ min: 1_600_000_000_000, max: 2_800_000_000_000 }),
  node: fc.stringMatching(/^[a-z][a-z0-9-]{0,10}$/),
  seq: fc.integer({ min: 1, max: 100_000 }),
});

function eventAt(atMs: number, node: string, seq: number): PairEvent {
  return {
    id: eventId({ atMs, node, seq }),
    at: new Date(atMs).toISOString(),
    ...{ node, incarnation: 'i', seq, term: null, kind: 'k', message: 'm' },
    ...{ rule: null, evidence: null, facts: {} },
  };
}

test('an id holds the place of its event, whatever the node is called', (t) => {
  fc.assert(fc.property(places, (place) => t.deepEqual(eventPlace(eventId(place)), place)));
});

test('what is no id is refused', (t) => {
  for (const text of [
    '',
    '5',
    'mwq53jgq',
    'mwq53jgq-a',
    'mwq53jgq-a-x',
    'MWQ53JGQ-a-1',
    'mwq-a-1',
  ]) {
    t.is(eventPlace(text), null, text);
  }
});

test('events of several heartbeats become one list: each once, by time, node and number', (t) => {
  const [a1, a2, b1] = [
    eventAt(1_700_000_000_000, 'a', 1),
    eventAt(1_700_000_000_000, 'a', 2),
    eventAt(1_699_999_999_999, 'b', 1),
  ];
  t.deepEqual(mergeEvents([a2, a1], [b1, a1]), [b1, a1, a2]);
});

test('the order of places is total', (t) => {
  fc.assert(
    fc.property(places, places, (a, b) => {
      t.is(Math.sign(comparePlaces(a, b)), -Math.sign(comparePlaces(b, a)) + 0);
    }),
  );
});
