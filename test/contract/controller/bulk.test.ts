import type { BulkAnswer, BulkItem, Run } from '@understudy/shared/protocol/api';
import test, { type ExecutionContext } from 'ava';
import { Bench, startStore } from './bench.ts';
import { FakeWorker } from './fake-worker.ts';

let store: Awaited<ReturnType<typeof startStore>>;
test.before(async () => {
  store = await startStore();
});
test.after.always(() => store.end());

async function serving(t: ExecutionContext, overlap = 'allow'): Promise<Bench> {
  const bench = await Bench.start(t, store.postgres);
  await bench.activate(5n);
  await bench.ask('PUT', '/api/v1/jobs/j', { command: ['true'], overlap });
  return bench;
}

async function submit(bench: Bench, runs: readonly unknown[]): Promise<readonly BulkItem[]> {
  const { status, body } = await bench.ask('POST', '/api/v1/runs', { runs });
  if (status !== 200) throw new Error(`answered ${status}: ${JSON.stringify(body)}`);
  return (body as BulkAnswer).items;
}

const idOf = (item: BulkItem | undefined): string =>
  item === undefined || item.outcome === 'refused' ? '' : item.id;

test('many runs are asked for at once, and each item is answered in its place', async (t) => {
  const bench = await serving(t);
  const items = await submit(bench, [
    { job: 'j', idempotencyKey: 'a', parameters: { A: 'x' } },
    { job: 'nobody' },
    { job: 'j', parameters: { 'not a name': 'x' } },
    { job: 'j', idempotencyKey: 'a' },
    'nonsense',
    { job: 'j' },
  ]);
  t.deepEqual(
    items.map((item) => (item.outcome === 'refused' ? item.error.code : item.outcome)),
    ['created', 'unknown-job', 'invalid', 'existing', 'invalid', 'created'],
  );
  t.is(idOf(items[0]), idOf(items[3]), 'the second item with a key is the first one again');
  const run = (await bench.ask('GET', `/api/v1/runs/${idOf(items[0])}`)).body as Run;
  t.deepEqual([run.job, run.parameters], ['j', { A: 'x' }]);
});

test('who hears no answer sends the same again, and nothing is made twice', async (t) => {
  const bench = await serving(t);
  const runs = Array.from({ length: 2_500 }, (_, n) => ({ job: 'j', idempotencyKey: `k${n}` }));
  const first = await submit(bench, runs);
  t.true(first.every(({ outcome }) => outcome === 'created'));
  const again = await submit(bench, runs);
  t.true(again.every(({ outcome }) => outcome === 'existing'));
  t.deepEqual(again.map(idOf), first.map(idOf));
  t.deepEqual(await bench.query('select count(*)::integer as n from understudy.run'), [
    { n: 2_500 },
  ]);
});

test('ten thousand runs are one request, more are too many', async (t) => {
  const bench = await serving(t);
  const runs = Array.from({ length: 10_001 }, () => ({
    job: 'j',
    parameters: { A: 'x'.repeat(50) },
  }));
  t.is((await bench.ask('POST', '/api/v1/runs', { runs })).status, 400);
  t.is((await bench.ask('POST', '/api/v1/runs', { runs: [] })).status, 400);
  const items = await submit(bench, runs.slice(1));
  t.is(new Set(items.map(idOf)).size, 10_000);
});

test('runs of a job that are not to overlap are decided one after the other', async (t) => {
  const bench = await serving(t, 'skip');
  const items = await submit(bench, [
    { job: 'j', idempotencyKey: 'a' },
    { job: 'j' },
    { job: 'j' },
  ]);
  const runs = await Promise.all(
    items.map(async (item) => (await bench.ask('GET', `/api/v1/runs/${idOf(item)}`)).body as Run),
  );
  t.is(runs.filter(({ state }) => state === 'queued').length, 1);
  t.is(runs.filter(({ state }) => state === 'skipped').length, 2);
});

test('a run that is asked for while an agent has room is committed with its order', async (t) => {
  const bench = await serving(t);
  const worker = new FakeWorker(bench);
  t.teardown(() => worker.leave());
  await worker.join();
  await submit(bench, [{ job: 'j' }, { job: 'j' }]);
  const orders = [await worker.order('start'), await worker.order('start')];
  const written = await bench.query(`select distinct run.xmin::text as by
    from understudy.run union select distinct attempt.xmin::text from understudy.attempt`);
  t.is(written.length, 1, 'one transaction made the runs and their attempts');
  t.is(new Set(orders.map(({ run }) => run)).size, 2);
});
