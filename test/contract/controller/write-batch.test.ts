import { randomUUID } from 'node:crypto';
import { dispatchRun, endAttempt, startRun } from '@understudy/controller/dispatch/transitions';
import { type Changes, mergeChanges } from '@understudy/controller/store/changes';
import { DeposedError, WriterLane } from '@understudy/controller/store/lane';
import { loadInheritance, loadOpenWork, type OpenWork } from '@understudy/controller/store/load';
import { type Written, writeBatch } from '@understudy/controller/store/write-batch';
import test, { type ExecutionContext } from 'ava';
import { makeRun, moment } from '../../unit/controller/make-run.ts';
import { serverFor } from '../support/store.ts';

const prepared = serverFor(test);

const happened = (subject: string) =>
  ({ at: 1, kind: 'job-applied', subject, message: `${subject} was changed`, facts: {} }) as const;

/** A store, and a way to write batches into it and to read what is open. */
async function setUp(t: ExecutionContext) {
  const store = await prepared(t);
  const { database, schema, pair } = store;
  const lane = new WriterLane({ database, schema, pair, node: 'a' });
  t.teardown(() => lane.close());
  const fenced = { term: 0n, timeoutMs: 10_000, mayCommit: async () => undefined };
  const write = (batch: ReturnType<typeof mergeChanges>): Promise<Written> =>
    lane.transaction(fenced, (execute) => writeBatch(batch, { pair, term: 0n }, execute));
  return {
    store,
    write,
    commit: (...changes: Changes[]) => write(mergeChanges(changes, randomUUID())),
    open: (): Promise<OpenWork> =>
      lane.transaction(fenced, (execute) => loadOpenWork(pair, 0n, execute)),
    count: async (table: string) => {
      const client = await store.connect();
      const { rows } = await client.query(`select count(*)::integer as count from ${table}`);
      return rows[0]?.count as number;
    },
  };
}

test('a batch whose COMMIT was not answered is written again, and its events are recorded once', async (t) => {
  const { store, write } = await setUp(t);
  const batch = mergeChanges([{ events: [happened('x'), happened('y')] }], randomUUID());
  const first = await write(batch);
  await write(mergeChanges([{ events: [happened('z')] }], randomUUID()));
  const again = await write(batch);
  t.deepEqual(again.events, first.events, 'with the numbers that they have');
  const client = await store.connect();
  const { rows } = await client.query('select subject from event order by seq');
  t.deepEqual(
    rows.map((row) => row.subject),
    ['x', 'y', 'z'],
  );
});

test('a run that is decided on before it is written is written once, with its attempt', async (t) => {
  const { commit, open } = await setUp(t);
  const fresh = makeRun(
    {},
    { id: randomUUID(), scheduledFor: 1_500, createdAt: 1_700_000_000_123 },
  );
  const run = dispatchRun(fresh, 'w1', moment);
  const written = await commit({ newRuns: [fresh] }, { runs: [run] });
  t.is(written.existing.size, 0);
  const { runs } = await open();
  t.deepEqual(runs, [{ ...run, term: 0n }]);
});

test('a run whose key is taken is not written, nor what was decided on it', async (t) => {
  const { commit, count } = await setUp(t);
  const of = (id: string) => makeRun({}, { id, idempotencyKey: 'k' });
  const [first, second, third] = [of(randomUUID()), of(randomUUID()), of(randomUUID())];
  await commit({ newRuns: [first] });
  const dispatched = dispatchRun(second, 'w1', moment);
  const { existing } = await commit({ newRuns: [second, third] }, { runs: [dispatched] });
  t.deepEqual(
    existing,
    new Map([
      [second.id, first.id],
      [third.id, first.id],
    ]),
  );
  // What was decided while that was found out comes in the next batch.
  const started = startRun(dispatched, 2_000, moment);
  const end = { at: 3_000, outcome: 'exited', exitCode: 0, signal: null, reason: null } as const;
  await commit({ runs: [endAttempt(started, end, moment)] });
  t.is(await count('run'), 1);
  t.is(await count('attempt'), 0);
});

test('texts come back as they were, whatever they hold', async (t) => {
  const { commit, open } = await setUp(t);
  const text = `${String.raw`{"a,b",\N NULL} \u0000 'x' {} `}\n\t😀`;
  const run = makeRun(
    { command: ['sh', '-c', text], env: { A: text } },
    { id: randomUUID(), parameters: { B: text, C: '' }, reason: text, idempotencyKey: 'a"b\\c' },
  );
  const other = makeRun({}, { id: randomUUID(), parameters: { D: 'NULL' } });
  await commit({ newRuns: [run, other] });
  const { runs } = await open();
  const written = [run, other].toSorted((a, b) => (a.id < b.id ? -1 : 1));
  t.deepEqual(
    runs,
    written.map((each) => ({ ...each, term: 0n })),
  );
});

test('a run that is over never changes again', async (t) => {
  const { commit, open, count } = await setUp(t);
  const run = dispatchRun(makeRun({}, { id: randomUUID() }), 'w1', moment);
  const end = { at: 3_000, outcome: 'exited', exitCode: 0, signal: null, reason: null } as const;
  await commit({ newRuns: [run] });
  await commit({ runs: [endAttempt(run, end, { now: 3_000, term: 0n })] });
  await commit({ runs: [run] });
  t.deepEqual((await open()).runs, []);
  t.is(await count(`attempt where state = 'succeeded'`), 1);
});

test('a batch that the database refuses says why, not what that brought about', async (t) => {
  const { commit, count } = await setUp(t);
  // What follows it is on its way already, and fails because the transaction is undone.
  const wrong = makeRun({}, { id: randomUUID(), state: 'no such state' as 'queued' });
  const run = dispatchRun(makeRun({}, { id: randomUUID() }), 'w1', moment);
  const changes = { newRuns: [wrong, run], runs: [run], events: [happened('x')] };
  const error = await t.throwsAsync(commit(changes));
  t.like(error, { code: '23514' });
  t.is(await count('event'), 0);
  await commit({ newRuns: [{ ...wrong, state: 'queued' }], events: [happened('x')] });
  t.is(await count('run'), 1);
});

test('with a term that is over nothing of a batch is written, and that is the reason', async (t) => {
  const { store, commit, count } = await setUp(t);
  const { pair } = store;
  const client = await store.connect();
  await client.query(
    'insert into fence (pair, term) values ($1, 7) on conflict (pair) do update set term = 7',
    [pair],
  );
  const error = await t.throwsAsync(commit({ events: [happened('x')] }));
  t.true(error instanceof DeposedError, String(error));
  t.is(await count('event'), 0);
});

test('what is open is read as a transaction that writes reads it, and leaves none behind', async (t) => {
  const { store, commit, open, count } = await setUp(t);
  const { database, schema, pair } = store;
  await commit({ newRuns: [makeRun({}, { id: randomUUID() })] });
  const lane = new WriterLane({ database, schema, pair, node: 'b' });
  t.teardown(() => lane.close());
  const term = { term: 0n, timeoutMs: 10_000 };
  const { work } = await lane.read(term, (execute) => loadInheritance(pair, 0n, execute));
  t.deepEqual(work, await open());
  t.is(work.runs.length, 1);
  // On the same connection: what is answered now comes after the end of the transaction before.
  const fenced = { ...term, mayCommit: async () => undefined };
  const event = { events: [happened('x')] };
  await lane.transaction(fenced, (execute) =>
    writeBatch(mergeChanges([event], randomUUID()), { pair, term: 0n }, execute),
  );
  t.is(await count('event'), 1);
});

test('with a term that is over nothing is read', async (t) => {
  const { store } = await setUp(t);
  const { database, schema, pair } = store;
  const lane = new WriterLane({ database, schema, pair, node: 'b' });
  t.teardown(() => lane.close());
  const read = lane.read({ term: 3n, timeoutMs: 10_000 }, (execute) =>
    loadInheritance(pair, 3n, execute),
  );
  await t.throwsAsync(read, { instanceOf: DeposedError });
});

test('what a reader asks for later is refused, for the fence is behind it', async (t) => {
  const { store } = await setUp(t);
  const { database, schema, pair } = store;
  const lane = new WriterLane({ database, schema, pair, node: 'b' });
  t.teardown(() => lane.close());
  const ask = { name: 'one', text: 'select 1 as one', values: [] };
  const read = lane.read({ term: 0n, timeoutMs: 10_000 }, async (execute) => {
    await execute(ask);
    return await execute(ask);
  });
  await t.throwsAsync(read, { message: /not fenced: one was asked for too late/ });
});
