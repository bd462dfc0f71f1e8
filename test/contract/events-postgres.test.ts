import { makePostgresEventStore } from '@understudy/heartbeat/events/event-store';
import { eventId, type PairEvent, placeOf } from '@understudy/shared/protocol/events';
import test, { type ExecutionContext } from 'ava';
import { serverFor } from './support/store.ts';

const makeStore = serverFor(test);
const AT = 1_700_000_000_123;

function eventOf(node: string, seq: number, atMs: number, kind = 'served'): PairEvent {
  return {
    id: eventId({ atMs, node, seq }),
    at: new Date(atMs).toISOString(),
    incarnation: '5f1c2a34-0000-4000-8000-000000000000',
    ...{ node, seq, kind, term: `${(1n << 41n) + 3n}`, message: 'active', rule: 'a rule' },
    ...{ evidence: null, facts: { interruptedMs: 12.5 } },
  };
}

async function eventStore(t: ExecutionContext) {
  const { database, schema, pair } = await makeStore(t);
  const store = makePostgresEventStore({ database, schema, pair, node: 'a' });
  t.teardown(() => store.close());
  return store;
}

test('An event comes back as it was written', async (t) => {
  const store = await eventStore(t);
  const events = [eventOf('a', 1, AT), eventOf('b', 1, AT)];
  t.deepEqual(await store.write(events), { kind: 'written' });
  t.deepEqual(await store.read({ after: null, limit: 10 }), { kind: 'read', events });
});

test('A write that is repeated doubles nothing', async (t) => {
  const store = await eventStore(t);
  const events = [eventOf('a', 1, AT), eventOf('a', 2, AT + 1)];
  await store.write(events.slice(0, 1));
  await store.write(events);
  t.deepEqual(await store.read({ after: null, limit: 10 }), { kind: 'read', events });
});

test('A page is the first events after a place, or the newest without one', async (t) => {
  const store = await eventStore(t);
  const events = [
    eventOf('a', 1, AT),
    eventOf('a', 2, AT),
    eventOf('b', 1, AT),
    eventOf('a', 3, AT + 1, 'fenced'),
  ];
  await store.write(events);
  const [first, second, third, fourth] = events as [PairEvent, PairEvent, PairEvent, PairEvent];
  const read = async (after: PairEvent | null, limit: number, kind?: string) => {
    const query = { after: after === null ? null : placeOf(after), limit };
    const result = await store.read(kind === undefined ? query : { ...query, kind });
    return result.kind === 'read' ? result.events : result;
  };
  t.deepEqual(await read(null, 2), [third, fourth]);
  t.deepEqual(await read(first, 2), [second, third]);
  t.deepEqual(await read(third, 2), [fourth]);
  t.deepEqual(await read(null, 1, 'served'), [third]);
});

test('A store that is away is told as such, within its time limits', async (t) => {
  const { database, schema, pair } = await makeStore(t);
  const url = new URL(database);
  url.port = '9';
  const store = makePostgresEventStore({ database: url.href, schema, pair, node: 'a' });
  t.is((await store.write([eventOf('a', 1, AT)])).kind, 'failed');
  t.is((await store.read({ after: null, limit: 1 })).kind, 'failed');
  store.close();
});

test('The history is bounded: of more than 10,000 events the oldest go', async (t) => {
  const prepared = await makeStore(t);
  const { database, schema, pair } = prepared;
  const client = await prepared.connect();
  await client.query(
    `insert into pair_event (pair, node, incarnation, seq, at, kind, message, facts)
     select $1, 'b', 'i', n, clock_timestamp() - (n * interval '1 s'), 'k', 'm', '{}'
     from generate_series(1, 10500) n`,
    [pair],
  );
  const store = makePostgresEventStore({ database, schema, pair, node: 'a' });
  t.teardown(() => store.close());
  const count = async () => {
    const { rows } = await client.query<{ kept: number; oldest: number }>(
      'select count(*)::int as kept, max(seq)::int as oldest from pair_event where node = $1',
      ['b'],
    );
    return rows[0] ?? { kept: 0, oldest: 0 };
  };
  // It is looked after at one write in twenty.
  for (let seq = 1; seq <= 500 && (await count()).kept > 10_000; seq += 1) {
    await store.write([eventOf('a', seq, Date.now())]);
  }
  const { kept, oldest } = await count();
  t.true(kept <= 10_000 && kept > 9_400, `${kept} kept`);
  t.is(oldest, kept, 'the newest ones');
});
