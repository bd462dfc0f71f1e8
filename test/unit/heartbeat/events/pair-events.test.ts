import type { EventStore } from '@understudy/heartbeat/events/event-store';
import type { Interruption, LastService } from '@understudy/heartbeat/events/interruption';
import { PairEvents } from '@understudy/heartbeat/events/pair-events';
import { initialRole } from '@understudy/heartbeat/role/step';
import { exploredOptions } from '@understudy/scripts/diagram/explore-role';
import type { PairEvent } from '@understudy/shared/protocol/events';
import { systemClock } from '@understudy/shared/runtime/clock';
import { silentLog } from '@understudy/shared/runtime/log';
import test from 'ava';
import { eventually } from '../../../support/cluster/eventually.ts';

/** A store in memory that can be away. */
class FakeStore implements EventStore {
  isAway = false;
  readonly events: PairEvent[] = [];

  async write(events: readonly PairEvent[]) {
    if (this.isAway) return { kind: 'failed', error: 'away' } as const;
    this.events.push(...events);
    return { kind: 'written' } as const;
  }

  async read({ limit }: { readonly limit: number }) {
    if (this.isAway) return { kind: 'failed', error: 'away' } as const;
    return { kind: 'read', events: this.events.slice(-limit) } as const;
  }

  close(): void {}
}

function eventsOn(store: EventStore, told: () => readonly LastService[] = () => []) {
  const interruptions: Interruption[] = [];
  const events = new PairEvents({
    ...{ role: exploredOptions, store, clock: systemClock, log: silentLog },
    promise: [{ failure: 'controller-crash', worstMs: 1_000, formula: '' }],
    peers: () => [],
    toldByPeers: told,
    onInterruption: (interruption) => interruptions.push(interruption),
  });
  return { events, interruptions };
}

test('what was told while the store was away is written in order once it is back', async (t) => {
  const store = new FakeStore();
  store.isAway = true;
  const { events } = eventsOn(store);
  events.onStarted('1.0.0', null);
  events.onStory({ kind: 'store-away', error: 'refused' });
  events.onStory({ kind: 'suspended' });
  const page = await events.list(null, 10);
  t.is(page.source, 'memory');
  t.is(page.problem, 'away');
  t.deepEqual(
    page.items.map((event) => event.kind),
    ['began', 'store-away', 'suspended'],
  );
  store.isAway = false;
  await eventually(async () => (store.events.length === 3 ? true : null), { what: 'the writing' });
  t.deepEqual(
    store.events.map((event) => event.seq),
    [1, 2, 3],
  );
  t.is((await events.list(null, 10)).source, 'database');
  t.is((await events.list(null, 10)).items.length, 3);
  await events.close();
});

test('what is left is written when the heartbeat ends', async (t) => {
  const store = new FakeStore();
  const { events } = eventsOn(store);
  events.onStory({ kind: 'suspended' });
  await events.close();
  t.is(store.events.length, 1);
});

test('a new service carries its measurement and the promise', async (t) => {
  const store = new FakeStore();
  const at = systemClock.monotonicMs() - 100;
  const { events, interruptions } = eventsOn(store, () => [
    { node: 'b', term: 4n, at, how: 'demotion', reason: 'controller-ended' },
  ]);
  events.onStory({ kind: 'claiming', basis: 'released', evidence: 'b let it go' });
  events.onStory({ kind: 'serving', term: 5n, afterMs: 40 });
  const served = (await events.list(null, 10)).items.find((event) => event.kind === 'served');
  t.is(served?.facts['failure'], 'controller-crash');
  t.is(served?.facts['promisedMs'], 1_000);
  const interruptedMs = interruptions[0]?.interruptedMs ?? 0;
  t.true(interruptedMs >= 100 && interruptedMs < 1_000, `${interruptedMs} ms`);
  t.is(events.measured[0]?.count, 1);
  t.is(events.measured[0]?.last.from, 'b');
  await events.close();
});

test('the word of the old active counts also when it comes a moment later', async (t) => {
  const store = new FakeStore();
  const words: LastService[] = [];
  const { events, interruptions } = eventsOn(store, () => words);
  const now = systemClock.monotonicMs();
  const row = {
    ...{ term: 4n, holder: { node: 'b', incarnation: 'other' }, renewSeq: 1n, released: false },
    ...{ storeSaysExpired: false, ttlMs: 1_000, timeline: 1 },
    ...{ remainingMs: 600, pausedForMs: null },
  };
  const state = { ...initialRole(now), watch: { row, changedAt: now - 400, readAt: now } };
  events.onStep({ kind: 'tick' }, state);
  events.onStory({ kind: 'claiming', basis: 'released', evidence: 'b let it go' });
  events.onStory({ kind: 'serving', term: 5n, afterMs: 40 });
  t.is(interruptions.length, 0);
  words.push({ node: 'b', term: 4n, at: now - 50, how: 'demotion', reason: 'controller-ended' });
  await eventually(async () => interruptions[0] ?? null, { what: 'the measurement' });
  t.is(interruptions[0]?.measured, 'demotion-to-serving');
  t.true((interruptions[0]?.interruptedMs ?? 0) < 400);
  await events.close();
});
