import type { Report } from '@understudy/shared/protocol/agent';
import type { JobView, Page, Run } from '@understudy/shared/protocol/api';
import test, { type ExecutionContext } from 'ava';
import { eventually } from '../../support/cluster/eventually.ts';
import { Bench, type BenchOptions, startStore, TOKEN } from './bench.ts';
import { FakeWorker } from './fake-worker.ts';

let store: Awaited<ReturnType<typeof startStore>>;
test.before(async () => {
  store = await startStore();
});
test.after.always(() => store.end());

async function serving(t: ExecutionContext, options: BenchOptions = {}): Promise<Bench> {
  const bench = await Bench.start(t, store.postgres, options);
  await bench.activate(5n);
  return bench;
}

async function joined(t: ExecutionContext, bench: Bench): Promise<FakeWorker> {
  const worker = new FakeWorker(bench);
  t.teardown(() => worker.leave());
  await worker.join();
  return worker;
}

async function list(bench: Bench, query: string): Promise<Page<Run>> {
  const { status, body } = await bench.ask('GET', `/api/v1/runs${query}`);
  if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`);
  return body;
}

async function submit(bench: Bench, job: string, parameters = {}): Promise<Run> {
  return (await bench.ask('POST', `/api/v1/jobs/${job}/runs`, { parameters })).body;
}

const ended = (run: string, logBytes = 0, exitCode = 0): Report => ({
  ...{ type: 'ended', run, attempt: 1, agoMs: 0, outcome: 'exited', exitCode },
  ...{ signal: null, reason: null, logBytes },
});
const wrote = (run: string, offset: number, text: string): Report => ({
  ...{ type: 'log', run, attempt: 1, offset, data: Buffer.from(text).toString('base64') },
});

test('runs are found by job, states, agent, time and text, and wrong filters are refused', async (t) => {
  const bench = await serving(t);
  for (const job of ['j', 'k'])
    await bench.ask('PUT', `/api/v1/jobs/${job}`, { command: ['true'] });
  const waiting = await submit(bench, 'k', { ORDER: 'Number-77' });
  await bench.ask('POST', `/api/v1/runs/${waiting.id}/cancel`, {});
  const worker = await joined(t, bench);
  const [good, bad] = [await submit(bench, 'j'), await submit(bench, 'j')];
  for (const _ of [good, bad]) await worker.order('start');
  await worker.report(ended(good.id), ended(bad.id, 0, 9));
  const ids = async (query: string) => (await list(bench, query)).items.map(({ id }) => id);
  t.deepEqual(await ids(''), [bad.id, good.id, waiting.id]);
  t.deepEqual(await ids('?state=failed,cancelled'), [bad.id, waiting.id]);
  t.deepEqual(await ids('?state=failed&state=succeeded&job=j'), [bad.id, good.id]);
  t.deepEqual(await ids('?agent=w1&state=succeeded'), [good.id]);
  t.deepEqual(await ids('?q=number-77'), [waiting.id]);
  t.deepEqual(await ids('?q=EXIT%20CODE%209'), [bad.id]);
  t.deepEqual(await ids(`?until=${waiting.createdAt}`), []);
  t.is((await ids(`?since=${waiting.createdAt}`)).length, 3);
  const page = await list(bench, '?limit=2');
  t.is(page.next, good.id);
  t.deepEqual((await list(bench, `?limit=2&after=${page.next}`)).next, null);
  for (const wrong of ['state=lost,won', 'since=yesterday', 'limit=0', 'after=x', 'q=']) {
    t.is((await bench.ask('GET', `/api/v1/runs?${wrong}`)).status, 400, wrong);
  }
});

test('history that need not be kept is removed while work goes on, and is not shown any more', async (t) => {
  const retention = {
    runs: { ageMs: null, count: null },
    eventsMs: null,
    auditMs: null,
    everyMs: 200,
  };
  const bench = await serving(t, { retention });
  const job = { command: ['true'], retention: { count: 3 } };
  const { body } = await bench.ask('PUT', '/api/v1/jobs/j', job);
  t.deepEqual((body as JobView).retention, { count: 3 });
  await bench.ask('PUT', '/api/v1/jobs/k', { command: ['true'] });
  const worker = await joined(t, bench);
  const runs: Run[] = [];
  for (let i = 0; i < 8; i++) {
    for (const name of ['j', 'k']) {
      const run = await submit(bench, name);
      await worker.order('start');
      await worker.report(wrote(run.id, 0, 'output'), ended(run.id, 6));
      if (name === 'j') runs.push(run);
    }
  }
  await eventually(async () => ((await list(bench, '?job=j')).items.length === 3 ? true : null), {
    what: 'all but three runs to be removed',
  });
  const kept = (await list(bench, '?job=j')).items.map(({ id }) => id);
  t.deepEqual(
    kept,
    runs
      .slice(-3)
      .map(({ id }) => id)
      .reverse(),
  );
  const gone = runs[0]?.id ?? '';
  t.is((await bench.ask('GET', `/api/v1/runs/${gone}`)).status, 404);
  t.is((await list(bench, '?job=k')).items.length, 8);
  const left = await bench.query(`select count(*)::integer as count from understudy.run_log`);
  t.deepEqual(left, [{ count: 11 }]);
});

test('of an output no more is stored than the limit, whatever its worker sends, and the run says so', async (t) => {
  const bench = await serving(t, { outputLimit: 1_000 });
  await bench.ask('PUT', '/api/v1/jobs/j', { command: ['true'] });
  const worker = await joined(t, bench);
  const run = await submit(bench, 'j');
  await worker.order('start');
  const piece = 'x'.repeat(300);
  for (let at = 0; at < 30_000; at += 300) {
    const { body } = await worker.report(wrote(run.id, at, piece));
    t.true((body as { acknowledged: number }).acknowledged > 0);
  }
  await worker.report(ended(run.id, 30_000));
  const over = (await bench.ask('GET', `/api/v1/runs/${run.id}`)).body as Run;
  t.like(over, { state: 'succeeded', logBytes: 1_000 });
  t.is(over.reason, '29000 bytes of its output were more than is stored');
  const log = await fetch(`${bench.url}/api/v1/runs/${run.id}/log?offset=999`, {
    headers: { authorization: `Bearer ${TOKEN}` },
  });
  t.is(await log.text(), 'x');
  const [stored] = await bench.query(
    'select sum(length(data))::integer as bytes from understudy.run_log',
  );
  t.deepEqual(stored, { bytes: 1_000 });
});

test('a log from beyond its end is empty, and from no place at all is refused', async (t) => {
  const bench = await serving(t);
  await bench.ask('PUT', '/api/v1/jobs/j', { command: ['true'] });
  const worker = await joined(t, bench);
  const run = await submit(bench, 'j');
  await worker.order('start');
  await worker.report(wrote(run.id, 0, 'hello'), ended(run.id, 5));
  const read = (offset: string, follow = false) =>
    fetch(`${bench.url}/api/v1/runs/${run.id}/log?offset=${offset}&follow=${follow}`, {
      headers: { authorization: `Bearer ${TOKEN}` },
    });
  const places = { '4': 'o', '5': '', '6': '', '9007199254740991': '' };
  for (const [offset, expected] of Object.entries(places)) {
    for (const follow of [false, true]) {
      const response = await read(offset, follow);
      t.is(response.status, 200);
      t.is(await response.text(), expected, `${offset} ${follow}`);
    }
  }
  for (const offset of ['-1', '1.5', 'x', '9007199254740993'])
    t.is((await read(offset)).status, 400);
});
