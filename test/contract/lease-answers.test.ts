import { TcpProxy } from '@understudy/scripts/bench/proxy/proxy';
import test, { type ExecutionContext } from 'ava';
import { eventually } from '../support/cluster/eventually.ts';
import { claimOf, grantTo, readRow } from './support/claims.ts';
import { serverFor } from './support/store.ts';

/** Short, for the time limit is what ends these calls; the calls that must succeed are asked again. */
const TIMEOUT_MS = 1_000;

const makeStore = serverFor(test);

test('F23: A claim whose answer is lost is unknown; the row tells that it is ours', async (t) => {
  const { a, b, proxy } = await prepare(t);
  const observed = await readRow(b);
  await eventually(async () => ((await a.read()).kind === 'read' ? true : null), {
    what: 'a connection',
  });
  proxy.set({ cut: ['down'] });
  const answer = await a.claim(claimOf('a', a, observed));
  t.like(answer, { kind: 'failed', error: `no answer within ${TIMEOUT_MS} ms` });
  proxy.heal();
  const row = await eventually(async () => nullIfFailed(await a.read()), { what: 'the lease' });
  t.deepEqual(row.holder, { node: 'a', incarnation: a.incarnation });
  const renewed = await eventually(
    async () => nullIfFailed(await a.renew({ term: row.term, incarnation: a.incarnation })),
    { what: 'a renewal of the grant' },
  );
  t.is(renewed.term, row.term);
  const second = await b.claim(claimOf('b', b, observed));
  t.is(second.kind, 'refused', 'what b had observed is over');
});

test('F24: A renewal whose answer is lost is unknown; the next one is granted', async (t) => {
  const { a, b, proxy } = await prepare(t);
  const { term } = await eventually(() => grantTo('a', a), { what: 'a grant' });
  proxy.set({ cut: ['down'] });
  const held = { term, incarnation: a.incarnation };
  t.is((await a.renew(held)).kind, 'failed');
  t.is((await readRow(b)).renewSeq, 1n, 'it was executed all the same');
  proxy.heal();
  const row = await eventually(async () => nullIfFailed(await a.renew(held)), {
    what: 'the next renewal',
  });
  t.is(row.term, term);
  t.true(row.renewSeq >= 2n);
});

test('A call ends at its time limit, however long the store hangs', async (t) => {
  const { a, proxy } = await prepare(t);
  await eventually(() => readRow(a), { what: 'a connection' });
  proxy.set({ cut: ['down'] });
  const before = performance.now();
  const answers = await Promise.all([
    a.read(),
    a.probe(),
    a.release({ term: 1n, incarnation: 'x' }),
  ]);
  for (const answer of answers) t.is(answer.kind, 'failed');
  t.true(performance.now() - before >= TIMEOUT_MS - 5);
});

async function prepare(t: ExecutionContext) {
  const store = await makeStore(t);
  const proxy = await TcpProxy.start(0, store.server.port);
  t.teardown(() => proxy.close());
  const limits = { callTimeoutMs: TIMEOUT_MS, claimTimeoutMs: TIMEOUT_MS };
  return { store, proxy, a: store.node('a', { port: proxy.port, ...limits }), b: store.node('b') };
}

function nullIfFailed<T>(answer: { kind: string; row: T } | { kind: 'failed' }): T | null {
  return 'row' in answer ? answer.row : null;
}
