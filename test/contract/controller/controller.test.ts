import type { Report } from '@understudy/shared/protocol/agent';
import type { JobInput, Run } from '@understudy/shared/protocol/api';
import test, { type ExecutionContext } from 'ava';
import { Bench, startStore, TOKEN } from './bench.ts';
import { FakeWorker } from './fake-worker.ts';

type Store = Awaited<ReturnType<typeof startStore>>;
let store: Store;
test.before(async () => {
  store = await startStore();
});
test.after.always(() => store.end());

async function serving(t: ExecutionContext, env = {}): Promise<Bench> {
  const bench = await Bench.start(t, store.postgres, { env });
  await bench.activate(5n);
  return bench;
}

async function putJob(bench: Bench, job: Partial<JobInput> = {}): Promise<void> {
  await bench.ask('PUT', '/api/v1/jobs/j', { command: ['true'], ...job });
}

async function submit(bench: Bench, key = 'k'): Promise<{ status: number; run: Run }> {
  const headers = { 'idempotency-key': key };
  const answer = await bench.ask(
    'POST',
    '/api/v1/jobs/j/runs',
    { parameters: { A: 'x' } },
    headers,
  );
  return { status: answer.status, run: answer.body };
}

const exited = (run: string, logBytes: number): Report => ({
  ...{ type: 'ended', run, attempt: 1, agoMs: 0, outcome: 'exited', exitCode: 0 },
  ...{ signal: null, reason: null, logBytes },
});
const started = (run: string): Report => ({ type: 'started', run, attempt: 1, agoMs: 1, pid: 1 });
const log = (run: string, offset: number, text: string): Report => ({
  ...{ type: 'log', run, attempt: 1, offset, data: Buffer.from(text).toString('base64') },
});

test('it serves only after it was activated, under its term, and only with the token', async (t) => {
  const bench = await Bench.start(t, store.postgres);
  await t.throwsAsync(bench.ask('GET', '/readyz'));
  await bench.activate(5n);
  const ready = await bench.ask('GET', '/readyz');
  t.is(ready.status, 200);
  t.is(ready.headers.get('understudy-term'), '5');
  t.is(ready.headers.get('understudy-node'), 'a');
  const wrong = { authorization: `Bearer not-${TOKEN}` };
  t.is((await bench.ask('GET', '/api/v1/jobs', undefined, wrong)).status, 401);
});

test('a job is created once, shown with durations as written, and refused with each field', async (t) => {
  const bench = await serving(t);
  const job = { name: 'j', command: ['true'], timeout: '30s', retries: { limit: 1, delay: 2_000 } };
  t.is((await bench.ask('POST', '/api/v1/jobs', job)).status, 201);
  t.is((await bench.ask('POST', '/api/v1/jobs', job)).status, 409);
  const shown = (await bench.ask('GET', '/api/v1/jobs/j')).body as {
    timeout: string;
    retries: { delay: string };
  };
  t.deepEqual([shown.timeout, shown.retries.delay], ['30s', '2s']);
  const refused = await bench.ask('PUT', '/api/v1/jobs/j', { command: [], http: {} });
  t.is(refused.status, 400);
  const { error } = refused.body as { error: { details: { field: string }[] } };
  t.deepEqual(error.details.map(({ field }) => field).toSorted(), ['command', 'http.url']);
});

test('a repeated key gives the same run', async (t) => {
  const bench = await serving(t);
  await putJob(bench);
  const answers = await Promise.all([submit(bench), submit(bench), submit(bench)]);
  t.deepEqual(answers.map(({ status }) => status).toSorted(), [200, 200, 201]);
  t.is(new Set(answers.map(({ run }) => run.id)).size, 1);
  t.not((await submit(bench, 'other')).run.id, answers[0]?.run.id);
});

test('a repeated key leaves the run of a job with overlap alone, also when both come at once', async (t) => {
  const bench = await serving(t);
  await putJob(bench, { overlap: 'replace' });
  const both = await Promise.all([submit(bench), submit(bench)]);
  t.deepEqual(both.map(({ status }) => status).toSorted(), [200, 201]);
  t.is(both[0].run.id, both[1].run.id);
  const again = await submit(bench);
  t.deepEqual([again.status, again.run.id, again.run.state], [200, both[0].run.id, 'queued']);
  t.is((await submit(bench, 'other')).status, 201);
  t.is((await submit(bench)).run.state, 'cancelled');
});

test('a run is ordered, reported twice over, and its log is followed to its last byte', async (t) => {
  const bench = await serving(t);
  const worker = new FakeWorker(bench);
  t.teardown(() => worker.leave());
  await worker.join();
  await putJob(bench);
  const { run } = await submit(bench);
  const order = await worker.order('start');
  t.like(order, { run: run.id, attempt: 1, term: '5', env: { A: 'x' } });
  const following = fetch(`${bench.url}/api/v1/runs/${run.id}/log?offset=2&follow=true`, {
    headers: { authorization: `Bearer ${TOKEN}` },
  }).then((response) => response.text());
  await worker.report(started(run.id), log(run.id, 0, 'hello '));
  // The end before the output is complete has to come again.
  const early = await worker.report(exited(run.id, 11));
  t.like(early.body, { acknowledged: 2 });
  await worker.report(log(run.id, 0, 'hello world'), exited(run.id, 11));
  await worker.report(exited(run.id, 11));
  t.is(await following, 'llo world');
  const over = (await bench.ask('GET', `/api/v1/runs/${run.id}`)).body as Run;
  t.like(over, { state: 'succeeded', exitCode: 0, logBytes: 11, agent: 'w1' });
  t.is(over.attempts.length, 1);
});

test('a queued run is cancelled at once, a running one when its worker confirms', async (t) => {
  const bench = await serving(t);
  await putJob(bench);
  const queued = (await submit(bench, 'queued')).run;
  const cancelled = await bench.ask('POST', `/api/v1/runs/${queued.id}/cancel`, {});
  t.like(cancelled.body, { state: 'cancelled' });
  const worker = new FakeWorker(bench);
  t.teardown(() => worker.leave());
  await worker.join();
  const { run } = await submit(bench, 'running');
  await worker.order('start');
  await worker.report(started(run.id));
  t.like((await bench.ask('POST', `/api/v1/runs/${run.id}/cancel`, {})).body, { state: 'running' });
  t.is((await worker.order('cancel')).run, run.id);
  await worker.report({ ...exited(run.id, 0), outcome: 'cancelled', exitCode: null } as Report);
  t.like((await bench.ask('GET', `/api/v1/runs/${run.id}`)).body, { state: 'cancelled' });
});

test('a worker that has seen a higher term is refused, and the heartbeat is told', async (t) => {
  const bench = await serving(t);
  t.is((await new FakeWorker(bench).register('9')).status, 409);
  t.like(await bench.said('higherTerm'), { term: '9' });
});

test('a registration that was delayed on its way puts no attempt back into the queue', async (t) => {
  const bench = await serving(t);
  const worker = new FakeWorker(bench);
  t.teardown(() => worker.leave());
  await worker.join({ session: 2 });
  await putJob(bench);
  const { run } = await submit(bench);
  await worker.order('start');
  const late = await worker.register('0', { session: 1 });
  t.is(late.status, 409);
  t.like(late.body, { error: { code: 'late-registration' } });
  const lateStream = await worker.ask('1');
  t.is(lateStream.status, 409, 'nobody would hear the orders on it');
  const shown = (await bench.ask('GET', `/api/v1/runs/${run.id}`)).body as Run;
  t.deepEqual(
    shown.attempts.map(({ state }) => state),
    ['dispatched'],
  );
  // One that is newer is judged: it says that the order never arrived.
  t.is((await worker.register('0', { session: 3 })).status, 200);
  const judged = (await bench.ask('GET', `/api/v1/runs/${run.id}`)).body as Run;
  t.is(judged.attempts[0]?.state, 'lost');
});

test('a worker whose place was taken by a newer one of the same name does not come back', async (t) => {
  const bench = await serving(t);
  const [older, newer] = [new FakeWorker(bench), new FakeWorker(bench)];
  t.is((await older.register()).status, 200);
  t.is((await newer.register()).status, 200);
  t.like((await older.register()).body, { error: { code: 'duplicate-agent' } });
});

test('a controller whose term is over commits nothing and ends', async (t) => {
  const bench = await serving(t);
  await bench.grant(6n);
  await t.throwsAsync(bench.ask('PUT', '/api/v1/jobs/j', { command: ['true'] }));
  await bench.ended;
  t.deepEqual(await bench.query('select name from understudy.job'), []);
  t.not(bench.child.exitCode, 0);
});

test('past its deadline it answers no one and ends', async (t) => {
  const bench = await Bench.start(t, store.postgres);
  await bench.activate(5n, 1_500);
  await bench.ended;
  t.not(bench.child.exitCode, 0);
  await t.throwsAsync(bench.ask('GET', '/readyz'));
});

test('F8: with its loop blocked it is killed at the deadline by its watchdog', async (t) => {
  const env = { UNDERSTUDY_FAILPOINTS: 'block-loop-on:SIGUSR2' };
  const bench = await Bench.start(t, store.postgres, { env });
  await bench.activate(5n, 3_000);
  bench.child.kill('SIGUSR2');
  await bench.ended;
  t.is(bench.child.signalCode, 'SIGKILL');
});

test('asked to end, it sends its workers away and exits with 0', async (t) => {
  const bench = await serving(t);
  const worker = new FakeWorker(bench);
  await worker.join();
  bench.tell({ type: 'deactivate', graceMs: 5_000 });
  t.like(await worker.order('leave'), { term: '5', next: null });
  await bench.ended;
  t.is(bench.child.exitCode, 0);
});
