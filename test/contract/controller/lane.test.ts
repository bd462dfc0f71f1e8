import { WriterLane } from '@understudy/controller/store/lane';
import test, { type ExecutionContext } from 'ava';
import { serverFor } from '../support/store.ts';

const prepared = serverFor(test);
const LIMIT_MS = 10_000;
const one = { name: 'one', text: 'select 1 as one', values: [] };

/** A lane, and how many connections it has. */
async function setUp(t: ExecutionContext) {
  const store = await prepared(t);
  const { database, schema, pair } = store;
  const lane = new WriterLane({ database, schema, pair, node: 'a', purpose: 'test' });
  t.teardown(() => lane.close());
  const client = await store.connect();
  const count = async () => {
    const { rows } = await client.query(
      `select count(*)::integer as count from pg_stat_activity
       where application_name = 'understudy controller a test' and datname = current_database()`,
    );
    return rows[0]?.count as number;
  };
  return { lane, count };
}

test('whoever comes while it connects gets the same connection', async (t) => {
  const { lane, count } = await setUp(t);
  await Promise.all([lane.connect(), lane.connect(), lane.ask('select 1', LIMIT_MS)]);
  t.is(await count(), 1);
});

test('a tenure that begins while somebody practises is no part of that transaction', async (t) => {
  const { lane, count } = await setUp(t);
  let isPractising: () => void = () => undefined;
  const practises = new Promise<void>((resolve) => {
    isPractising = resolve;
  });
  const practice = lane.practise(LIMIT_MS, async (execute) => {
    await execute(one);
    isPractising();
    return await new Promise<never>(() => undefined);
  });
  practice.catch(() => undefined);
  await practises;
  const rows = await lane.read({ term: 0n, timeoutMs: LIMIT_MS }, (execute) => execute(one));
  t.deepEqual(rows, [{ one: 1 }]);
  t.is(await count(), 1, 'that of the practice is gone');
});

test('after practice the same connection serves', async (t) => {
  const { lane, count } = await setUp(t);
  const pid = { name: 'pid', text: 'select pg_backend_pid() as pid', values: [] };
  const practised = await lane.practise(LIMIT_MS, (execute) => execute(pid));
  const read = await lane.read({ term: 0n, timeoutMs: LIMIT_MS }, (execute) => execute(pid));
  t.deepEqual(read, practised);
  t.is(await count(), 1);
});
