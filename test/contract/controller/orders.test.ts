import type { Report } from '@understudy/shared/protocol/agent';
import type {
  ErrorBody,
  JobInput,
  Page,
  Run,
  RunBatch,
  RunStep,
} from '@understudy/shared/protocol/api';
import test, { type ExecutionContext } from 'ava';
import { eventually } from '../../support/cluster/eventually.ts';
import { Bench, type BenchOptions, startStore } from './bench.ts';
import { FakeWorker } from './fake-worker.ts';

type Store = Awaited<ReturnType<typeof startStore>>;
let store: Store;
test.before(async () => {
  store = await startStore();
});
test.after.always(() => store.end());

async function serving(t: ExecutionContext, options: BenchOptions = {}): Promise<Bench> {
  const bench = await Bench.start(t, store.postgres, options);
  await bench.activate(5n);
  return bench;
}

async function worker(t: ExecutionContext, bench: Bench, name = 'w1'): Promise<FakeWorker> {
  const made = new FakeWorker(bench, name);
  t.teardown(() => made.leave());
  await made.join();
  return made;
}

async function put(bench: Bench, name: string, job: Partial<JobInput> = {}): Promise<number> {
  const answer = await bench.ask('PUT', `/api/v1/jobs/${name}`, { command: ['true'], ...job });
  return answer.status;
}

async function submit(bench: Bench, name: string, body: object = {}): Promise<Run> {
  return (await bench.ask('POST', `/api/v1/jobs/${name}/runs`, body)).body;
}

async function get(bench: Bench, id: string): Promise<Run> {
  return (await bench.ask('GET', `/api/v1/runs/${id}`)).body;
}

async function runsOf(bench: Bench, job: string): Promise<readonly Run[]> {
  const page: Page<Run> = (await bench.ask('GET', `/api/v1/runs?job=${job}&limit=1000`)).body;
  return page.items;
}

const exited = (run: string, exitCode = 0, attempt = 1): Report => ({
  ...{ type: 'ended', run, attempt, agoMs: 0, outcome: 'exited', exitCode },
  ...{ signal: null, reason: null, logBytes: 0 },
});
const started = (run: string, attempt = 1): Report => ({
  ...{ type: 'started', run, attempt, agoMs: 1, pid: 1 },
});

test('parameters are checked, completed by defaults and given to the command', async (t) => {
  const bench = await serving(t);
  const parameters = { DAY: { required: true }, COUNT: { type: 'integer', default: 3 } } as const;
  await put(bench, 'j', { parameters });
  const wrong = await bench.ask('POST', '/api/v1/jobs/j/runs', {
    parameters: { COUNT: 'x', A: 1 },
  });
  t.is(wrong.status, 400);
  const { error } = wrong.body as ErrorBody;
  t.deepEqual((error.details as { field: string }[]).map(({ field }) => field).toSorted(), [
    'parameters.A',
    'parameters.COUNT',
    'parameters.DAY',
  ]);
  const run = await submit(bench, 'j', { parameters: { DAY: 'Monday' } });
  t.deepEqual(run.parameters, { DAY: 'Monday', COUNT: '3' });
  const order = await (await worker(t, bench)).order('start');
  t.like(order.env, { DAY: 'Monday', COUNT: '3' });
  t.is(await put(bench, 'j', { parameters, schedule: { every: '1h' } }), 400);
});

test('no more runs of a job are under way than its concurrency says', async (t) => {
  const bench = await serving(t);
  await put(bench, 'j', { concurrency: 2 });
  for (let count = 0; count < 3; count += 1) await submit(bench, 'j');
  const w1 = await worker(t, bench);
  const [first, second] = [await w1.order('start'), await w1.order('start')];
  const queued = (await runsOf(bench, 'j')).filter(({ state }) => state === 'queued');
  t.is(queued.length, 1);
  await w1.report(started(first.run), exited(first.run));
  t.is((await w1.order('start')).run, queued[0]?.id ?? '');
  t.not(first.run, second.run);
});

test('an exit code that is not among those to be tried again ends the run', async (t) => {
  const bench = await serving(t);
  const retries = { limit: 5, delay: 0, exitCodes: [75] };
  await put(bench, 'j', { delivery: 'at-least-once', retries });
  const w1 = await worker(t, bench);
  const { id } = await submit(bench, 'j');
  await w1.order('start');
  await w1.report(started(id), exited(id, 75));
  t.is((await w1.order('start')).attempt, 2);
  await w1.report(started(id, 2), exited(id, 1, 2));
  t.like(await get(bench, id), { state: 'failed', exitCode: 1 });
});

test('a run follows the end of another one, and is told of it', async (t) => {
  const bench = await serving(t);
  await put(bench, 'a');
  await put(bench, 'b', { after: [{ job: 'a' }] });
  await put(bench, 'c', { after: [{ job: 'a', on: 'failed' }] });
  const w1 = await worker(t, bench);
  const { id } = await submit(bench, 'a');
  await w1.order('start');
  await w1.report(started(id), exited(id));
  const order = await w1.order('start');
  t.like(order, { job: 'b', env: { UNDERSTUDY_CAUSED_BY: id } });
  t.is((await get(bench, order.run)).causedBy, id);
  t.deepEqual(await runsOf(bench, 'c'), []);
});

test('a job that would come to run after itself is refused, and the loop is told', async (t) => {
  const bench = await serving(t);
  await put(bench, 'a');
  await put(bench, 'b', { after: [{ job: 'a' }] });
  const body = { command: ['true'], after: [{ job: 'b', on: 'ended' }] };
  const refused = await bench.ask('PUT', '/api/v1/jobs/a', body);
  t.is(refused.status, 400);
  t.regex((refused.body as ErrorBody).error.message, /a -> b -> a/);
});

for (const failpoint of ['before-report-commit', 'after-report-commit'] as const) {
  test(`a run follows once, though the controller crashes ${failpoint.replaceAll('-', ' ')}`, async (t) => {
    const env = { UNDERSTUDY_FAILPOINTS: failpoint };
    const first = await serving(t, { env });
    await put(first, 'a');
    await put(first, 'b', { after: [{ job: 'a' }] });
    const w1 = await worker(t, first);
    const { id } = await submit(first, 'a');
    await w1.order('start');
    await t.throwsAsync(w1.report(started(id), exited(id)));
    await first.ended;
    const second = await Bench.start(t, store.postgres, { beside: first, node: 'b' });
    await second.activate(6n);
    await w1.moveTo(second, [{ run: id, attempt: 1, state: 'ended' }]);
    await w1.report(started(id), exited(id));
    t.is((await get(second, id)).state, 'succeeded');
    t.is((await w1.order('start')).job, 'b');
    t.is((await runsOf(second, 'b')).length, 1);
  });
}

test('a job for every agent has a run on each that is there, and the same ones for the same key', async (t) => {
  const bench = await serving(t);
  await put(bench, 'j', { agents: 'every', overlap: 'skip' });
  const workers = [await worker(t, bench, 'w1'), await worker(t, bench, 'w2')];
  const headers = { 'idempotency-key': 'k' };
  const order = async () => await bench.ask('POST', '/api/v1/jobs/j/runs', {}, headers);
  const made = await order();
  t.is(made.status, 201);
  const batch = made.body as RunBatch;
  t.deepEqual(batch.items.map(({ target }) => target).toSorted(), ['w1', 'w2']);
  t.is(new Set(batch.items.map((run) => run.batch)).size, 1);
  const again = await order();
  t.is(again.status, 200);
  const ids = ({ items }: RunBatch) => items.map(({ id }) => id).toSorted();
  t.deepEqual(ids(again.body), ids(batch));
  for (const each of workers) {
    const { run } = await each.order('start');
    const { target, agent } = await get(bench, run);
    t.is(target, agent);
  }
  const overlapping: RunBatch = (await bench.ask('POST', '/api/v1/jobs/j/runs', {})).body;
  t.deepEqual(
    overlapping.items.map(({ state }) => state),
    ['skipped', 'skipped'],
  );
});

test('what waits for an agent that is lost is skipped, for no other may run it', async (t) => {
  const bench = await serving(t, { lostAfterMs: 4_000 });
  await put(bench, 'j', { agents: 'every' });
  const w1 = await worker(t, bench);
  await bench.ask('POST', '/api/v1/agents/w1/drain', {});
  const none: RunBatch = (await bench.ask('POST', '/api/v1/jobs/j/runs', {})).body;
  t.is(none.items[0]?.state, 'skipped');
  await bench.ask('POST', '/api/v1/agents/w1/resume', {});
  await put(bench, 'j', { agents: 'every', overlap: 'queue' });
  const first: RunBatch = (await bench.ask('POST', '/api/v1/jobs/j/runs', {})).body;
  const second: RunBatch = (await bench.ask('POST', '/api/v1/jobs/j/runs', {})).body;
  await w1.order('start');
  w1.leave();
  const ends = await eventually(
    async () => {
      const runs = [await get(bench, idOf(first)), await get(bench, idOf(second))];
      return runs.every(({ finishedAt }) => finishedAt !== null) ? runs : null;
    },
    { what: 'the end of both' },
  );
  t.deepEqual(
    ends.map(({ state }) => state),
    ['lost', 'skipped'],
  );
  const again = await bench.ask('POST', `/api/v1/runs/${idOf(first)}/retry`, {});
  t.like(again.body, { state: 'skipped', target: 'w1' });
});

test('a run that has not started in time is late, once, also over a fail-over', async (t) => {
  const first = await serving(t);
  await put(first, 'j', { late: '1s' });
  const { id } = await submit(first, 'j');
  const { lateAt } = await eventually(
    async () => {
      const run = await get(first, id);
      return run.lateAt === null ? null : run;
    },
    { what: 'that it is late' },
  );
  first.child.kill('SIGKILL');
  await first.ended;
  const second = await Bench.start(t, store.postgres, { beside: first, node: 'b' });
  await second.activate(6n);
  // One that is late only now is noticed after the other one would have been.
  const other = await submit(second, 'j');
  await eventually(async () => ((await get(second, other.id)).lateAt === null ? null : true), {
    what: 'that another one is late',
  });
  t.is((await get(second, id)).lateAt, lateAt);
  const events = await first.query(`select 1 from understudy.event
    where kind = 'run-late' and subject = '${id}'`);
  t.is(events.length, 1);
});

test('an agent that has to be free by a deadline keeps nothing that runs on it', async (t) => {
  const bench = await serving(t);
  await put(bench, 'once');
  await put(bench, 'again', { delivery: 'at-least-once', retries: { delay: 0 } });
  const [w1] = [await worker(t, bench)];
  const [once, again] = [await submit(bench, 'once'), await submit(bench, 'again')];
  await w1.order('start');
  await w1.order('start');
  await w1.report(started(once.id), started(again.id));
  const drained = await bench.ask('POST', '/api/v1/agents/w1/drain', { deadline: '100ms' });
  t.is(drained.status, 200);
  const ended = [(await w1.order('cancel')).run, (await w1.order('cancel')).run];
  t.deepEqual(ended.toSorted(), [once.id, again.id].toSorted());
  for (const { id } of [once, again]) {
    await w1.report({ ...exited(id), outcome: 'cancelled', exitCode: null } as Report);
  }
  t.is((await get(bench, once.id)).state, 'cancelled');
  t.is((await get(bench, again.id)).state, 'queued');
  const w2 = await worker(t, bench, 'w2');
  t.like(await w2.order('start'), { run: again.id, attempt: 2 });
});

test('an agent that is gone for good is removed, one that is there is not', async (t) => {
  const bench = await serving(t, { lostAfterMs: 4_000 });
  const w1 = await worker(t, bench);
  const remove = async () => (await bench.ask('DELETE', '/api/v1/agents/w1')).status;
  t.is(await remove(), 409);
  w1.leave();
  await eventually(async () => ((await remove()) === 204 ? true : null), { what: 'its removal' });
  t.is(await remove(), 404);
  t.deepEqual(await bench.query('select id from understudy.agent'), []);
});

test('an agent that was lost has its whole time to come back after a fail-over', async (t) => {
  const first = await serving(t, { lostAfterMs: 60_000 });
  await put(first, 'j');
  const w1 = await worker(t, first);
  const { id } = await submit(first, 'j');
  await w1.order('start');
  await w1.report(started(id));
  first.child.kill('SIGKILL');
  await first.ended;
  const second = await Bench.start(t, store.postgres, { beside: first, node: 'b' });
  await second.activate(6n);
  t.is((await get(second, id)).state, 'running');
  await w1.moveTo(second, [{ run: id, attempt: 1, state: 'running' }]);
  await w1.report(exited(id));
  t.is((await get(second, id)).state, 'succeeded');
});

test('the history of a run tells who ordered it, where it was tried and under which term', async (t) => {
  const bench = await serving(t);
  await put(bench, 'j');
  const w1 = await worker(t, bench);
  const { id } = await submit(bench, 'j');
  await w1.order('start');
  await w1.report(started(id));
  await bench.ask('POST', `/api/v1/runs/${id}/cancel`, {});
  await w1.report({ ...exited(id), outcome: 'cancelled', exitCode: null } as Report);
  const { items }: Page<RunStep> = (await bench.ask('GET', `/api/v1/runs/${id}/history`)).body;
  t.deepEqual(
    items.map(({ what }) => what),
    ['created', 'ordered', 'started', 'run-cancel-asked', 'attempt-ended', 'cancelled'],
  );
  t.like(items[0], { message: 'ordered by pair' });
  t.like(items[1], { agent: 'w1', attempt: 1, term: '5' });
  const unknown = await bench.ask(
    'GET',
    '/api/v1/runs/0198c0de-0000-7000-8000-000000000000/history',
  );
  t.is(unknown.status, 404);
});

function idOf({ items }: RunBatch): string {
  return items[0]?.id ?? '';
}
