import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { Bench, startStore, TOKEN } from './bench.ts';
import { FakeWorker } from './fake-worker.ts';
import { Load, longestMs, runsOf } from './load.ts';

type Store = Awaited<ReturnType<typeof startStore>>;
let store: Store;
test.before(async () => {
  store = await startStore();
});
test.after.always(() => store.end());

const HOLD_MS = 400;
/** Longer than a busy machine needs for what has come. */
const FORWARD_MS = 60_000;
/** Nobody is to be kept waiting until some time limit frees him. */
const LONGEST_MS = 5_000;

async function pair(t: ExecutionContext): Promise<{ a: Bench; b: Bench }> {
  const a = await Bench.start(t, store.postgres);
  const b = await Bench.start(t, store.postgres, { node: 'b', beside: a });
  await a.activate(5n);
  await a.ask('PUT', '/api/v1/jobs/j', { command: ['true'] });
  return { a, b };
}

async function handOver(a: Bench, b: Bench): Promise<void> {
  a.tell({ type: 'hold', forMs: HOLD_MS });
  await a.said('held');
  // As the heartbeats do: one hands over and has its controller forward, the other activates.
  const activated = b.activate(6n);
  a.tell({ type: 'forward', to: b.url, forMs: FORWARD_MS });
  await activated;
}

test.serial(
  'I12: under 200 requests a second a switch-over fails none, doubles none and keeps none waiting',
  async (t) => {
    const { a, b } = await pair(t);
    const load = new Load([a.url], 200);
    await pause(700);
    const begun = performance.now();
    await handOver(a, b);
    const changeMs = performance.now() - begun;
    load.add(b.url);
    await pause(1_000);
    const outcomes = await load.stop();

    t.true(outcomes.length > 300);
    const failed = outcomes.filter(({ status }) => status < 200 || status > 299);
    t.deepEqual(failed, []);
    const usual = longestMs(outcomes.filter(({ sentAt, tookMs }) => sentAt + tookMs < begun));
    const longest = longestMs(outcomes);
    t.log({ requests: outcomes.length, longest, usual, changeMs });
    // How long is for a benchmark; nobody may be forgotten until some time limit frees him.
    t.true(longest <= LONGEST_MS);
    t.true(outcomes.some(({ node }) => node === 'a'));
    t.true(outcomes.some(({ node }) => node === 'b'));
    const runs = (await b.query('select id from understudy.run')).map(
      (row) => (row as { id: string }).id,
    );
    t.deepEqual(runs.toSorted(), runsOf(outcomes).toSorted(), 'one run for each that was answered');
  },
);

test('I12: a worker is sent to the next controller in the same breath', async (t) => {
  const { a, b } = await pair(t);
  const worker = new FakeWorker(a);
  await worker.join();
  await handOver(a, b);
  t.like(await worker.order('leave'), { term: '5', next: b.url });
  t.is((await a.ask('GET', '/readyz')).status, 503);
  t.is(
    (await worker.register('5')).status,
    503,
    'its orders come from b, so must its registration',
  );
  const there = new FakeWorker(b);
  t.teardown(() => there.leave());
  await there.join();
});

test('I12: who follows a log or the events is ended, and goes on at the next one', async (t) => {
  const { a, b } = await pair(t);
  const { id } = (await a.ask('POST', '/api/v1/jobs/j/runs', {})).body as { id: string };
  const headers = { authorization: `Bearer ${TOKEN}` };
  const streams = [`/api/v1/runs/${id}/log?follow=true`, '/api/v1/events/stream'].map((path) =>
    fetch(`${a.url}${path}`, { headers }),
  );
  const open = await Promise.all(streams);
  t.deepEqual(
    open.map(({ status }) => status),
    [200, 200],
  );
  await handOver(a, b);
  await Promise.all(open.map((response) => response.text()));
  const again = await fetch(`${a.url}/api/v1/events/stream`, { headers });
  t.is(again.headers.get('understudy-node'), 'b');
  await again.body?.cancel();
});

test('I12: who sends slowly holds up nothing, and is answered by the next controller', async (t) => {
  const { a, b } = await pair(t);
  const { hostname, port } = new URL(a.url);
  const body = JSON.stringify({ command: ['echo', '\u00e9'] });
  const bytes = Buffer.from(body);
  const socket = connect(Number(port), hostname);
  t.teardown(() => socket.destroy());
  socket.write(
    `PUT /api/v1/jobs/slow HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${TOKEN}\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${bytes.length}\r\n\r\n`,
  );
  socket.write(bytes.subarray(0, 10));
  // A later request on another connection is answered: the slow one has certainly arrived.
  await a.ask('GET', '/api/v1/jobs');
  await handOver(a, b);
  socket.write(bytes.subarray(10));
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  const answer = Buffer.concat(chunks).toString('utf8');
  t.regex(answer, /^HTTP\/1.1 201 /);
  t.regex(answer, /understudy-node: b/i);
  t.like((await b.ask('GET', '/api/v1/jobs/slow')).body, { command: ['echo', '\u00e9'] });
});

test('a hold that is called off lets in what waited, and everything goes on', async (t) => {
  const { a } = await pair(t);
  a.tell({ type: 'hold', forMs: HOLD_MS });
  await a.said('held');
  const waiting = [
    a.ask('PUT', '/api/v1/jobs/k', { command: ['true'] }),
    a.ask('GET', '/api/v1/jobs'),
  ];
  t.is((await a.ask('GET', '/readyz')).status, 503);
  a.tell({ type: 'resume' });
  t.deepEqual(
    (await Promise.all(waiting)).map(({ status }) => status),
    [201, 200],
  );
  t.is((await a.ask('GET', '/readyz')).status, 200);
});

test('what can not be finished in time is a failed hold, and nothing happened', async (t) => {
  const { a } = await pair(t);
  // The fence is taken, so that nothing can be committed.
  const blocked = a.query(`begin; set local search_path to understudy;
    select pg_advisory_xact_lock(fence_key('orders')); select pg_sleep(2); commit`);
  await pause(300);
  const writing = a.ask('PUT', '/api/v1/jobs/k', { command: ['true'] });
  await pause(200);
  a.tell({ type: 'hold', forMs: 100 });
  t.regex(JSON.stringify(await a.said('holdFailed')), /not committed|under way/);
  t.is((await writing).status, 201);
  t.is((await a.ask('GET', '/api/v1/jobs')).status, 200);
  await blocked;
});

test('held, it writes nothing, and it ends with its deadline if nobody says more', async (t) => {
  const a = await Bench.start(t, store.postgres);
  await a.activate(5n, 3_000);
  a.tell({ type: 'hold', forMs: HOLD_MS });
  await a.said('held');
  const parked = a.ask('PUT', '/api/v1/jobs/k', { command: ['true'] });
  await t.throwsAsync(parked);
  await a.ended;
  t.deepEqual(await a.query('select name from understudy.job'), []);
});

test('a forwarder ends by itself, without having acted', async (t) => {
  const { a, b } = await pair(t);
  a.tell({ type: 'hold', forMs: HOLD_MS });
  await a.said('held');
  const activated = b.activate(6n);
  a.tell({ type: 'forward', to: b.url, forMs: 1_000 });
  await activated;
  await a.ended;
  t.is(a.child.exitCode, 0);
});
