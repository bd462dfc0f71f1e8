import { join } from 'node:path';
import type { Report } from '@understudy/shared/protocol/agent';
import type { Run } from '@understudy/shared/protocol/api';
import { makeKeystore } from '@understudy/shared/runtime/keystore';
import test, { type ExecutionContext } from 'ava';
import { makeFolder } from '../../support/keystore.ts';
import { Bench, startStore } from './bench.ts';
import { FakeWorker } from './fake-worker.ts';

let store: Awaited<ReturnType<typeof startStore>>;
test.before(async () => {
  store = await startStore();
});
test.after.always(() => store.end());

const SECRET = 'hunter2-and-more';

async function setUp(t: ExecutionContext) {
  const keystore = join(makeFolder(t), 'keystore');
  const bench = await Bench.start(t, store.postgres, { keystore });
  await bench.activate(5n);
  t.is((await bench.ask('PUT', '/api/v1/secrets/DB', { value: SECRET })).status, 201);
  const job = { command: ['true'], secrets: ['DB'] };
  t.is((await bench.ask('PUT', '/api/v1/jobs/j', job)).status, 201);
  return { bench, keystore };
}

async function ordered(t: ExecutionContext, bench: Bench) {
  const worker = new FakeWorker(bench);
  t.teardown(() => worker.leave());
  await worker.join();
  const run = (await bench.ask('POST', '/api/v1/jobs/j/runs', {})).body as Run;
  const order = await worker.order('start');
  return { worker, run, order };
}

const log = (run: string, offset: number, text: string): Report => ({
  ...{ type: 'log', run, attempt: 1, offset, data: Buffer.from(text).toString('base64') },
});
const failed = (run: string, logBytes: number): Report => ({
  ...{ type: 'ended', run, attempt: 1, agoMs: 0, outcome: 'exited', exitCode: 1 },
  ...{ signal: null, reason: `could not log in with ${SECRET}`, logBytes },
});

/** Everything that the database holds, as text. */
async function everything(bench: Bench): Promise<string> {
  const tables = (await bench.query(
    `select tablename as name from pg_tables where schemaname = 'understudy'`,
  )) as { name: string }[];
  const texts = tables.map(async ({ name }) => {
    const rows = await bench.query(`select t::text as row from understudy.${name} t`);
    const logs = name === 'run_log' ? await bench.query('select data from understudy.run_log') : [];
    const bytes = logs.map((row) => (row as { data: Buffer }).data.toString());
    return JSON.stringify(rows) + bytes.join('');
  });
  return (await Promise.all(texts)).join('\n');
}

test('F125: a secret reaches the order, and nothing that is stored or shown', async (t) => {
  const { bench } = await setUp(t);
  const { worker, run, order } = await ordered(t, bench);
  t.deepEqual(order.secrets, { DB: SECRET });
  t.deepEqual(order.env, {});
  const [first, second] = ['it is hunter2-', 'and-more, and hunter2-and-more again\n'];
  await worker.report(log(run.id, 0, first));
  await worker.report(log(run.id, first.length, second));
  await worker.report(failed(run.id, first.length + second.length));
  const shown = await bench.ask('GET', `/api/v1/runs/${run.id}`);
  t.like(shown.body, { state: 'failed', reason: 'could not log in with ****' });
  const response = await fetch(`${bench.url}/api/v1/runs/${run.id}/log`, {
    headers: { authorization: 'Bearer a-token-of-the-tests' },
  });
  t.is(await response.text(), 'it is ****************, and **************** again\n');
  const secret = await bench.ask('GET', '/api/v1/secrets/DB');
  t.like(secret.body, { name: 'DB', updatedBy: 'pair' });
  const answers = [shown, secret];
  for (const path of ['secrets', 'jobs', 'runs', 'events', 'audit']) {
    answers.push(await bench.ask('GET', `/api/v1/${path}`));
  }
  t.notRegex(JSON.stringify(answers.map(({ body }) => body)), /hunter2|and-more/);
  t.notRegex(await everything(bench), /hunter2|and-more/);
});

test('F125: a value that began in what an earlier controller stored is hidden by the next', async (t) => {
  const { bench, keystore } = await setUp(t);
  const { worker, run } = await ordered(t, bench);
  await worker.report(log(run.id, 0, 'it is hunter2'));
  const next = await Bench.start(t, store.postgres, { node: 'b', beside: bench, keystore });
  await next.activate(6n);
  await worker.moveTo(next, [{ run: run.id, attempt: 1, state: 'running' }]);
  await worker.report(log(run.id, 13, '-and-more.'));
  const chunks = await next.query('select data from understudy.run_log order by start');
  const texts = chunks.map((row) => (row as { data: Buffer }).data.toString());
  t.deepEqual(texts, ['it is *******', '*********.']);
});

test('a job may name only what is stored, and what a job needs is not removed', async (t) => {
  const { bench } = await setUp(t);
  const refused = await bench.ask('PUT', '/api/v1/jobs/k', { command: ['true'], secrets: ['NO'] });
  t.is(refused.status, 400);
  t.like(refused.body, { error: { details: [{ field: 'secrets', value: 'NO' }] } });
  const inUse = await bench.ask('DELETE', '/api/v1/secrets/DB');
  t.like(inUse, { status: 409, body: { error: { code: 'secret-in-use' } } });
  await bench.ask('DELETE', '/api/v1/jobs/j');
  t.is((await bench.ask('DELETE', '/api/v1/secrets/DB')).status, 204);
  t.is((await bench.ask('GET', '/api/v1/secrets/DB')).status, 404);
});

test('F125: of a bad value nothing is repeated', async (t) => {
  const { bench } = await setUp(t);
  const bodies = [{ value: 'abc' }, { value: SECRET, more: SECRET }, { value: [SECRET] }, SECRET];
  for (const body of bodies) {
    const { status, body: answer } = await bench.ask('PUT', '/api/v1/secrets/DB', body);
    t.is(status, 400);
    t.notRegex(JSON.stringify(answer), /hunter2|abc/);
  }
});

test('H4: a controller with another key, or none, says so and is not ready', async (t) => {
  const { bench } = await setUp(t);
  const other = join(makeFolder(t), 'keystore');
  const { id } = makeKeystore(other);
  for (const [keystore, reason] of [
    [other, new RegExp(`holds key ${id}: copy`)],
    [null, /this node has no key store/],
  ] as const) {
    const unfit = { node: 'b', beside: bench, keystore, until: 'notReady' } as const;
    const next = await Bench.start(t, store.postgres, unfit);
    const said = await next.said('notReady');
    t.regex(JSON.stringify(said), reason);
  }
});
