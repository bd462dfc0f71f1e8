import { setTimeout as pause } from 'node:timers/promises';
import type { Report } from '@understudy/shared/protocol/agent';
import type { AgentView, Page, PairView, Run } from '@understudy/shared/protocol/api';
import test, { type ExecutionContext } from 'ava';
import { childrenOf, signal } from '../../support/cluster/proc.ts';
import { type Answer, Bench, startStore, TOKEN } from './bench.ts';
import { FakeWorker } from './fake-worker.ts';

type Store = Awaited<ReturnType<typeof startStore>>;
let store: Store;
test.before(async () => {
  store = await startStore();
});
test.after.always(() => store.end());

const TERM = 5n;
const TRUST_MS = 2_000;
const OUTAGE_MS = 8_000;
/** What is known to be impossible is refused at once. */
const AT_ONCE_MS = 300;

/** Freezes the database with all that it has started. */
function freeze(t: ExecutionContext): () => void {
  const { pid } = store.postgres;
  if (pid === null) throw new Error('PostgreSQL does not run');
  const frozen = [pid, ...childrenOf(pid)];
  const thaw = () => {
    for (const each of frozen) signal(each, 'SIGCONT');
  };
  t.teardown(thaw);
  for (const each of frozen) signal(each, 'SIGSTOP');
  return thaw;
}

/** Extends the tenure as a heartbeat does, until the test is over. */
function keepTenure(t: ExecutionContext, bench: Bench): { failsafe: boolean } {
  const by = { failsafe: false };
  const timer = setInterval(() => {
    if (bench.child.connected) bench.extend(TERM, TRUST_MS, by.failsafe);
  }, 200);
  t.teardown(() => clearInterval(timer));
  return by;
}

async function until(what: string, holds: () => Promise<boolean>): Promise<number> {
  const startedAt = performance.now();
  while (!(await holds())) {
    if (performance.now() - startedAt > 60_000) throw new Error(`not in a minute: ${what}`);
    await pause(20);
  }
  return performance.now() - startedAt;
}

async function timed(asked: Promise<Answer>): Promise<Answer & { readonly tookMs: number }> {
  const startedAt = performance.now();
  return { ...(await asked), tookMs: performance.now() - startedAt };
}

async function follow(
  bench: Bench,
  path: string,
  after = '',
): Promise<{ over: boolean; text: string }> {
  const headers = { authorization: `Bearer ${TOKEN}`, 'last-event-id': after };
  const response = await fetch(`${bench.url}${path}`, { headers });
  const seen = { over: false, text: '' };
  const read = async () => {
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) seen.text += decoder.decode(chunk as Uint8Array);
    seen.over = true;
  };
  read().catch(() => undefined);
  return seen;
}

const log = (run: string, text: string): Report => ({
  ...{ type: 'log', run, attempt: 1, offset: 0, data: Buffer.from(text).toString('base64') },
});
const exited = (run: string, logBytes: number): Report => ({
  ...{ type: 'ended', run, attempt: 1, agoMs: 0, outcome: 'exited', exitCode: 0 },
  ...{ signal: null, reason: null, logBytes },
});

test.serial(
  'in failsafe it shows what it knows, refuses what it can not keep, and loses nothing',
  async (t) => {
    const bench = await Bench.start(t, store.postgres, { lostAfterMs: 1_500 });
    await bench.activate(TERM, TRUST_MS);
    const tenure = keepTenure(t, bench);
    const worker = new FakeWorker(bench);
    t.teardown(() => worker.leave());
    await worker.join();
    await bench.ask('PUT', '/api/v1/jobs/j', { command: ['true'] });
    const { id } = (await bench.ask('POST', '/api/v1/jobs/j/runs', {})).body as Run;
    await worker.order('start');
    await worker.report({ type: 'started', run: id, attempt: 1, agoMs: 0, pid: 1 });
    const other = new FakeWorker(bench, 'w2');
    await other.join();
    const events = await follow(bench, '/api/v1/events/stream');
    const output = await follow(bench, `/api/v1/runs/${id}/log?follow=true`);

    const thaw = freeze(t);
    const frozenAt = performance.now();
    other.leave();
    tenure.failsafe = true;
    const pairOf = async () => (await bench.ask('GET', '/api/v1/pair')).body as PairView;
    await until('failsafe', async () => (await pairOf()).failsafe);
    t.is((await pairOf()).store, 'away');
    const lostAgents = async () => {
      const { items } = (await bench.ask('GET', '/api/v1/agents')).body as Page<AgentView>;
      return items.filter(({ state }) => state === 'lost');
    };
    const kept: readonly (readonly [string, string, unknown?])[] = [
      ['GET', '/api/v1/pair'],
      ['GET', '/api/v1/agents'],
      ['GET', '/api/v1/jobs'],
      ['GET', '/api/v1/jobs/j'],
      ['GET', `/api/v1/runs/${id}`],
      ['GET', '/api/v1/runs?state=running'],
      ['GET', '/readyz'],
    ];
    const refused: readonly (readonly [string, string, unknown?])[] = [
      ['PUT', '/api/v1/jobs/k', { command: ['true'] }],
      ['POST', '/api/v1/jobs/j/runs', {}],
      ['POST', `/api/v1/runs/${id}/cancel`, {}],
      ['DELETE', '/api/v1/jobs/j'],
      ['GET', '/api/v1/runs'],
      ['GET', '/api/v1/events'],
      ['GET', `/api/v1/runs/${id}/log`],
    ];
    worker.forget();
    const missed = await follow(bench, '/api/v1/events/stream', '0');
    while (performance.now() - frozenAt < OUTAGE_MS) {
      for (const [method, path, body] of kept) {
        const answer = await timed(bench.ask(method, path, body));
        t.is(answer.status, 200, path);
        t.true(answer.tookMs < AT_ONCE_MS, `${path} took ${answer.tookMs} ms`);
      }
      for (const [method, path, body] of refused) {
        const answer = await timed(bench.ask(method, path, body));
        t.is(answer.status, 503, path);
        t.like(answer.body, { error: { code: 'store-away' } });
        t.is(answer.headers.get('retry-after'), '1');
        t.true(answer.tookMs < AT_ONCE_MS, `${path} took ${answer.tookMs} ms`);
      }
      t.is((await worker.report(log(id, 'hello'))).status, 503, 'it stays in the spool');
      t.is((await worker.report()).status, 200, 'a sign of life');
      t.deepEqual(await lostAgents(), [], 'nobody could come back');
      await pause(100);
    }
    const listed = (await bench.ask('GET', '/api/v1/runs?state=running')).body as Page<Run>;
    t.deepEqual(
      listed.items.map((run) => run.id),
      [id],
    );
    await worker.order('beat');
    t.false(events.over);
    t.false(output.over);

    thaw();
    const backAfter = await until('a write is taken', async () => {
      return (await bench.ask('PUT', '/api/v1/jobs/k', { command: ['true'] })).status === 201;
    });
    t.log(`a write was taken ${Math.round(backAfter)} ms after the database came back`);
    t.true(backAfter < 2_000);
    tenure.failsafe = false;
    await until('failsafe is over', async () => !(await pairOf()).failsafe);
    t.is((await pairOf()).store, 'connected');
    t.is((await worker.report(log(id, 'hello'), exited(id, 5))).status, 200);
    await until('the log is complete', async () => output.over);
    t.is(output.text, 'hello');
    t.like((await bench.ask('GET', `/api/v1/runs/${id}`)).body, { state: 'succeeded' });
    await until('the events go on', async () => events.text.includes('run-ended'));
    await until('so do those that were missed', async () => missed.text.includes('run-ended'));
    t.is(missed.text.match(/^event: tenure-begun$/gm)?.length, 1);
    const agents = (await bench.ask('GET', '/api/v1/agents')).body as Page<AgentView>;
    t.is(agents.items.find((agent) => agent.id === 'w1')?.state, 'connected');
    t.is(bench.child.exitCode, null);
    const lost = await bench.query("select 1 from understudy.run where state = 'lost'");
    t.deepEqual(lost, []);
  },
);

test.serial(
  'without failsafe a database that does not answer is a refusal as well, after one wait',
  async (t) => {
    const bench = await Bench.start(t, store.postgres);
    await bench.activate(TERM);
    const thaw = freeze(t);
    t.is((await bench.ask('GET', '/api/v1/runs')).status, 503);
    const next = await timed(bench.ask('GET', '/api/v1/runs'));
    t.is(next.status, 503);
    t.true(next.tookMs < AT_ONCE_MS, `${next.tookMs} ms`);
    const write = await timed(bench.ask('PUT', '/api/v1/jobs/j', { command: ['true'] }));
    t.is(write.status, 503);
    t.true(write.tookMs < AT_ONCE_MS, `${write.tookMs} ms`);
    thaw();
    await until('reads', async () => (await bench.ask('GET', '/api/v1/runs')).status === 200);
    t.pass();
  },
);

const WAITED_IN_VAIN = 'the change was not committed in time; it may be later';

test.serial('who waits for a commit is refused once the store is known to be away', async (t) => {
  const bench = await Bench.start(t, store.postgres);
  await bench.activate(TERM);
  const thaw = freeze(t);
  const write = timed(bench.ask('PUT', '/api/v1/jobs/j', { command: ['true'] }));
  // It has arrived, body and all, when the controller has answered so much that was asked after it.
  for (let i = 0; i < 20; i++) await bench.ask('GET', '/api/v1/pair');
  bench.extend(TERM, 130_000, true);
  const answer = await write;
  t.like(answer, { status: 503, body: { error: { message: WAITED_IN_VAIN } } });
  t.true(answer.tookMs < 1_500, `${answer.tookMs} ms`);
  thaw();
  await until('it is committed nevertheless', async () => {
    return (await bench.ask('GET', '/api/v1/jobs/j')).status === 200;
  });
});
