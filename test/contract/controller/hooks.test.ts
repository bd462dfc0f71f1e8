import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { signatureOf } from '@understudy/controller/notify/signature';
import type { Report } from '@understudy/shared/protocol/agent';
import type { EventView, Run } from '@understudy/shared/protocol/api';
import type { DeliveryView, HookInput, HookView } from '@understudy/shared/protocol/hooks';
import test, { type ExecutionContext } from 'ava';
import { eventually } from '../../support/cluster/eventually.ts';
import { type Received, Receiver } from '../history/receiver.ts';
import { Bench, type BenchOptions, startStore } from './bench.ts';
import { FakeWorker } from './fake-worker.ts';

let store: Awaited<ReturnType<typeof startStore>>;
const folder = mkdtempSync(join(tmpdir(), 'understudy-hooks-'));
const keystore = join(folder, 'keystore');
test.before(async () => {
  store = await startStore();
});
test.after.always(async () => {
  rmSync(folder, { recursive: true, force: true });
  await store.end();
});

const SECRET = 'a-secret-of-the-tests';

async function serving(t: ExecutionContext, options: BenchOptions = {}, term = 5n): Promise<Bench> {
  const bench = await Bench.start(t, store.postgres, { keystore, ...options });
  await bench.activate(term);
  return bench;
}

async function putHook(bench: Bench, hook: HookInput, name = 'h'): Promise<HookView> {
  const { body } = await bench.ask('PUT', `/api/v1/hooks/${name}`, hook);
  return body;
}

async function deliveries(bench: Bench, query = '', name = 'h'): Promise<readonly DeliveryView[]> {
  const { body } = await bench.ask('GET', `/api/v1/hooks/${name}/deliveries${query}`);
  return (body as { items: readonly DeliveryView[] }).items;
}

/** Runs a job that fails, by a worker that a test plays. */
async function failOnce(bench: Bench, worker: FakeWorker, job = 'j'): Promise<Run> {
  await bench.ask('PUT', `/api/v1/jobs/${job}`, { command: ['false'] });
  const { body } = await bench.ask('POST', `/api/v1/jobs/${job}/runs`, {});
  const run = body as Run;
  await worker.order('start');
  await worker.report(failed(run.id));
  return run;
}

const failed = (run: string): Report => ({
  ...{ type: 'ended', run, attempt: 1, agoMs: 0, outcome: 'exited', exitCode: 3 },
  ...{ signal: null, reason: null, logBytes: 0 },
});

async function joined(t: ExecutionContext, bench: Bench): Promise<FakeWorker> {
  const worker = new FakeWorker(bench);
  t.teardown(() => worker.leave());
  await worker.join();
  return worker;
}

test('a hook is told of a run that failed, with an id, and signed so that its receiver can check it', async (t) => {
  const receiver = await Receiver.open(t);
  const bench = await serving(t);
  const hook = await putHook(bench, { url: receiver.url, events: ['run.failed'], secret: SECRET });
  t.like(hook, { name: 'h', signed: true, jobs: null, timeout: '10s', giveUpAfter: '1d' });
  const run = await failOnce(bench, await joined(t, bench));
  const received = await receiver.first(() => true);
  const { headers, notice } = received;
  t.like(notice, { event: 'run.failed', pair: 'orders', term: '5', subject: run.id });
  t.like(notice.facts, { job: 'j', state: 'failed', exitCode: 3, agent: 'w1' });
  t.is(headers['understudy-delivery'], notice.id);
  t.is(headers['understudy-event'], 'run.failed');
  t.true(isSigned(received));
  t.true(Math.abs(Date.now() / 1_000 - Number(headers['understudy-timestamp'])) < 120);
  const [told] = await eventually(
    async () => {
      const found = await deliveries(bench, '?state=delivered');
      return found.length > 0 ? found : null;
    },
    { what: 'the delivery to be recorded' },
  );
  t.like(told, { id: notice.id, attempts: 1, status: 204, problem: null, subject: run.id });
});

test('a hook is told only of what it asked for, and no secret is ever shown', async (t) => {
  const receiver = await Receiver.open(t);
  const bench = await serving(t);
  await putHook(bench, { url: receiver.url, events: ['run.failed'], jobs: ['k'], secret: SECRET });
  await putHook(bench, { url: receiver.url, events: ['run.lost', 'run.timed-out'] }, 'other');
  const worker = await joined(t, bench);
  await failOnce(bench, worker, 'j');
  const wanted = await failOnce(bench, worker, 'k');
  t.is((await receiver.first(() => true)).notice.subject, wanted.id);
  t.deepEqual(await deliveries(bench, '', 'other'), []);
  for (const path of ['/api/v1/hooks', '/api/v1/hooks/h', '/api/v1/events?after=0']) {
    const { body } = await bench.ask('GET', path);
    t.false(JSON.stringify(body).includes(SECRET), path);
  }
  // Replaced without a word on it, the secret stays; null removes it.
  t.true((await putHook(bench, { url: receiver.url, events: ['run.lost'] })).signed);
  t.false((await putHook(bench, { url: receiver.url, events: ['run.lost'], secret: null })).signed);
  t.is(receiver.received.length, 1);
});

test('F125: what signs is in no table as it was given, and signs for the next active too', async (t) => {
  const receiver = await Receiver.open(t);
  const bench = await serving(t);
  await putHook(bench, { url: receiver.url, events: ['run.failed'], secret: SECRET });
  for (const table of ['hook', 'event', 'audit']) {
    const rows = await bench.query(`select t::text as row from understudy.${table} t`);
    t.true(rows.length > 0, table);
    t.false(JSON.stringify(rows).includes(SECRET), table);
  }
  const next = await serving(t, { beside: bench, node: 'b' }, 6n);
  await failOnce(next, await joined(t, next));
  t.true(isSigned(await receiver.first(() => true)));
});

test('a secret from before they were encrypted is encrypted by the next active, and signs as before', async (t) => {
  const receiver = await Receiver.open(t);
  const bench = await serving(t);
  await putHook(bench, { url: receiver.url, events: ['run.failed'] });
  await storePlain(bench);
  const next = await serving(t, { beside: bench, node: 'b' }, 6n);
  await eventually(
    async () => {
      const [row] = await next.query('select secret, sealed from understudy.hook');
      const { secret, sealed } = row as { secret: string | null; sealed: unknown };
      return secret === null && sealed !== null ? true : null;
    },
    { what: 'the secret to be encrypted' },
  );
  t.true((await putHook(next, { url: receiver.url, events: ['run.failed'] })).signed);
  await failOnce(next, await joined(t, next));
  t.true(isSigned(await receiver.first(() => true)));
});

test('without a key store no secret is taken, and the message names the key; one from before goes on signing', async (t) => {
  const receiver = await Receiver.open(t);
  const bench = await serving(t, { keystore: null });
  const hook = { url: receiver.url, events: ['run.failed'] };
  const refused = await bench.ask('PUT', '/api/v1/hooks/h', { ...hook, secret: SECRET });
  t.like(refused, { status: 409, body: { error: { code: 'no-keystore' } } });
  t.regex(JSON.stringify(refused.body), /set `keystore` on its controller hosts/);
  t.is((await bench.ask('GET', '/api/v1/hooks/h')).status, 404);
  t.is((await bench.ask('PUT', '/api/v1/hooks/h', { ...hook, secret: null })).status, 201);
  await storePlain(bench);
  const next = await serving(t, { beside: bench, node: 'b', keystore: null }, 6n);
  t.is((await next.ask('PUT', '/api/v1/hooks/h', hook)).status, 200);
  await failOnce(next, await joined(t, next));
  t.true(isSigned(await receiver.first(() => true)));
});

test('a secret that can not be decrypted sends nothing unsigned, and the delivery tells why', async (t) => {
  const receiver = await Receiver.open(t);
  const bench = await serving(t);
  const hook: HookInput = { url: receiver.url, events: ['run.failed'], secret: SECRET };
  await putHook(bench, hook);
  // That of another hook, put in its place.
  await putHook(bench, hook, 'other');
  await bench.query(`update understudy.hook set sealed =
    (select sealed from understudy.hook where name = 'other') where name = 'h'`);
  const next = await serving(t, { beside: bench, node: 'b' }, 6n);
  await next.ask('DELETE', '/api/v1/hooks/other');
  await failOnce(next, await joined(t, next));
  const [tried] = await eventually(
    async () => {
      const found = await deliveries(next);
      return (found[0]?.attempts ?? 0) > 0 ? found : null;
    },
    { what: 'the hook to be tried' },
  );
  t.regex(tried?.problem ?? '', /its secret can't be decrypted/);
  t.deepEqual(receiver.received, []);
});

test('what is not answered with 2xx is sent again, the same to the byte; a redirect is not followed', async (t) => {
  const receiver = await Receiver.open(t);
  const answers = [500, 302, null];
  receiver.answer = () => {
    const { length } = receiver.received;
    return length < answers.length ? (answers[length] ?? null) : 200;
  };
  const bench = await serving(t);
  await putHook(bench, { url: receiver.url, events: ['run.failed'], timeout: '300ms' });
  await failOnce(bench, await joined(t, bench));
  await receiver.first(({ headers }) => headers['understudy-attempt'] === '4');
  t.deepEqual(
    receiver.received.map(({ path, headers }) => [path, headers['understudy-attempt']]),
    ['1', '2', '3', '4'].map((attempt) => ['/hook', attempt]),
  );
  t.is(new Set(receiver.received.map(({ text }) => text)).size, 1);
});

test('who can not be told in time is given up, and GET shows it with the reason', async (t) => {
  const receiver = await Receiver.open(t);
  receiver.answer = () => 503;
  const bench = await serving(t);
  await putHook(bench, { url: receiver.url, events: ['run.failed'], giveUpAfter: '1s' });
  await failOnce(bench, await joined(t, bench));
  const [given] = await eventually(
    async () => {
      const found = await deliveries(bench, '?state=given-up');
      return found.length > 0 ? found : null;
    },
    { what: 'the delivery to be given up' },
  );
  t.like(given, { state: 'given-up', status: 503, problem: 'answered 503', dueAt: null });
  const { body } = await bench.ask('GET', '/api/v1/events?after=0');
  t.true(JSON.stringify(body).includes('hook-given-up'));
});

test('one receiver that does not answer holds up no other, and what waits for it is bounded', async (t) => {
  const [silent, well] = [await Receiver.open(t), await Receiver.open(t)];
  silent.answer = () => null;
  const bench = await serving(t);
  await putHook(bench, { url: silent.url, events: ['run.failed'], timeout: '60s' }, 'silent');
  await putHook(bench, { url: well.url, events: ['run.failed'] }, 'well');
  const worker = await joined(t, bench);
  const runs: Run[] = [];
  for (let i = 0; i < 8; i++) runs.push(await failOnce(bench, worker));
  const last = runs.at(-1)?.id;
  await well.first(({ notice }) => notice.subject === last);
  t.is(silent.received.length, 4, 'so many at once, and no more');
});

test('a hook that was deleted is told nothing more, also when its name is given again', async (t) => {
  const receiver = await Receiver.open(t);
  receiver.answer = () => 500;
  const bench = await serving(t);
  await putHook(bench, { url: receiver.url, events: ['run.failed'] });
  const worker = await joined(t, bench);
  await failOnce(bench, worker);
  await receiver.first(() => true);
  t.is((await bench.ask('DELETE', '/api/v1/hooks/h')).status, 204);
  t.is((await bench.ask('GET', '/api/v1/hooks/h')).status, 404);
  const before = receiver.received.length;
  receiver.answer = () => 200;
  await putHook(bench, { url: receiver.url, events: ['run.failed'] });
  const run = await failOnce(bench, worker);
  await receiver.first(({ notice }) => notice.subject === run.id);
  t.is(receiver.received.length, before + 1);
});

test('what nobody could be told is told by the next active; it tells of the fail-over, once', async (t) => {
  const receiver = await Receiver.open(t);
  receiver.answer = () => 500;
  const bench = await serving(t);
  await putHook(bench, {
    url: receiver.url,
    events: ['run.failed', 'pair.failover'],
    secret: SECRET,
  });
  const run = await failOnce(bench, await joined(t, bench));
  const { notice } = await receiver.first(() => true);
  t.is(notice.event, 'run.failed', 'the first tenure of a pair is no fail-over');
  bench.child.kill('SIGKILL');
  await bench.ended;
  receiver.answer = () => 200;
  receiver.received.length = 0;
  const next = await serving(t, { beside: bench, node: 'b' }, 6n);
  const again = await receiver.first((each) => each.notice.event === 'run.failed');
  t.like(again.notice, { id: notice.id, subject: run.id }, 'the same as the first time');
  const moved = await receiver.first((each) => each.notice.event === 'pair.failover');
  t.like(moved.notice, { term: '6', subject: 'b' });
  t.like(moved.notice.facts, { from: 'a', to: 'b', lastTerm: '5' });
  // A tenure that ends because it was asked to is no fault.
  next.tell({ type: 'deactivate', graceMs: 5_000 });
  await next.ended;
  const last = await serving(t, { beside: bench, node: 'a' }, 7n);
  const begun = await eventually(
    async () => {
      const found = await tenuresOf(last);
      return found.length === 3 ? found : null;
    },
    { what: 'the third tenure to be recorded' },
  );
  t.deepEqual(
    begun.map(({ facts }) => facts['failover']),
    [false, true, false],
  );
  t.is(count(receiver.received, 'pair.failover'), 1);
});

test('a term that was handed over is no fail-over', async (t) => {
  const bench = await serving(t);
  const next = await Bench.start(t, store.postgres, { beside: bench, node: 'b', keystore });
  await bench.query(`insert into understudy.tenure_history
    (pair, term, node, incarnation, basis, evidence, ttl_ms, granted_at, timeline)
    values ('orders', 6, 'b', 'i', 'handed-over', 'a said so', 1000, now(), 1)`);
  await next.activate(6n);
  const last = await eventually(
    async () => (await tenuresOf(next)).find(({ term }) => term === '6') ?? null,
    { what: 'the tenure to be recorded' },
  );
  t.like(last.facts, { failover: false, basis: 'handed-over', from: 'a' });
});

test('a wrong hook is refused with each field', async (t) => {
  const bench = await serving(t);
  const wrong = {
    url: 'ftp://user:pw@host/',
    events: ['run.won'],
    secret: 'x',
    timeout: '1h',
    more: 1,
  };
  const { status, body } = await bench.ask('PUT', '/api/v1/hooks/h', wrong);
  t.is(status, 400);
  const { details } = (body as { error: { details: { field: string }[] } }).error;
  t.deepEqual(
    new Set(details.map(({ field }) => field)),
    new Set(['url', 'events.0', 'secret', 'timeout', '']),
  );
  t.is(
    (await bench.ask('PUT', '/api/v1/hooks/-', { url: 'http://h/', events: ['run.lost'] })).status,
    400,
  );
});

/** As an earlier version stored it. */
async function storePlain(bench: Bench): Promise<void> {
  await bench.query(`update understudy.hook set secret = '${SECRET}', sealed = null`);
}

function isSigned({ headers, text }: Received): boolean {
  const timestamp = String(headers['understudy-timestamp']);
  return headers['understudy-signature'] === signatureOf(SECRET, timestamp, text);
}

/** The tenures that began, as they are recorded. */
async function tenuresOf(bench: Bench): Promise<readonly EventView[]> {
  const { body } = await bench.ask('GET', '/api/v1/events?after=0');
  const { items } = body as { items: readonly EventView[] };
  return items.filter(({ kind }) => kind === 'tenure-begun');
}

function count(received: readonly Received[], event: string): number {
  return received.filter(({ notice }) => notice.event === event).length;
}
