import { makePostgresEventStore } from '@understudy/heartbeat/events/event-store';
import { eventId, type PairEvent } from '@understudy/shared/protocol/events';
import test from 'ava';
import { Bench, startStore } from './bench.ts';

let store: Awaited<ReturnType<typeof startStore>>;
test.before(async () => {
  store = await startStore();
});
test.after.always(() => store.end());

const AT = Date.now();

function eventOf(node: string, seq: number, atMs: number): PairEvent {
  return {
    id: eventId({ atMs, node, seq }),
    at: new Date(atMs).toISOString(),
    incarnation: '5f1c2a34-0000-4000-8000-000000000000',
    ...{ node, seq, kind: 'served', term: '7', message: 'active', rule: 'a rule' },
    ...{ evidence: 'seen', facts: { interruptedMs: 12.5 } },
  };
}

test('The API shows what the heartbeats decided, with a cursor of its own', async (t) => {
  const bench = await Bench.start(t, store.postgres);
  await bench.activate(5n);
  const heartbeat = makePostgresEventStore({
    ...{ database: bench.database, schema: 'understudy', pair: 'orders', node: 'a' },
  });
  t.teardown(() => heartbeat.close());
  const events = [eventOf('a', 1, AT), eventOf('b', 1, AT), eventOf('a', 2, AT + 1)] as const;
  t.is((await heartbeat.write(events)).kind, 'written');

  const ask = async (query: string) => {
    const { status, body } = await bench.ask('GET', `/api/v1/events?about=pair${query}`);
    return { status, body: body as { items: PairEvent[]; next: string | null } };
  };
  t.deepEqual((await ask('')).body, { items: [...events], next: null });
  t.deepEqual((await ask('&limit=1')).body.items, [events[2]]);
  const second = (await ask(`&limit=1&after=${events[0].id}`)).body;
  t.deepEqual(second, { items: [events[1]], next: events[1].id });
  t.is((await ask('&after=5')).status, 400);

  // The work's own events and their cursor are as they were.
  const work = await bench.ask('GET', '/api/v1/events?after=0');
  t.is(work.status, 200);
  t.false(JSON.stringify(work.body).includes('"rule"'));
});
