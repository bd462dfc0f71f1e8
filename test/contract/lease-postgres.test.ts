import test from 'ava';
import { eventually } from '../support/cluster/eventually.ts';
import { leaseContract } from './lease-contract.ts';
import { claimOf, grantTo, readRow } from './support/claims.ts';
import { serverFor } from './support/store.ts';

const store = serverFor(test);

leaseContract(test, 'PostgreSQL', async (t) => {
  const { node } = await bound(t);
  return { node };
});

async function bound(t: Parameters<typeof store>[0]) {
  const opened = await store(t);
  return { opened, node: opened.node.bind(opened) };
}

test('Every grant is kept with its evidence, and the fence stands at its term', async (t) => {
  const { opened, node } = await bound(t);
  const [a, b] = [node('a'), node('b')];
  const first = await grantTo('a', a, { evidence: 'the peer said so' });
  const to = { node: 'b', incarnation: b.incarnation };
  await a.handOver({ term: first.term, incarnation: a.incarnation }, 0n, to);
  const client = await opened.connect();
  const history = await client.query('select term, node, basis, evidence from tenure_history');
  t.deepEqual(history.rows, [
    { term: '1', node: 'a', basis: 'testified', evidence: 'the peer said so' },
    { term: '2', node: 'b', basis: 'handed-over', evidence: 'by a, which held term 1' },
  ]);
  t.deepEqual((await client.query('select term from fence')).rows, [{ term: '2' }]);
});

test('F62: A renewal waits neither for writers nor for a claim that waits for them', async (t) => {
  const { opened, node } = await bound(t);
  const [a, b] = [node('a'), node('b')];
  const granted = await grantTo('a', a);
  const [writer, watcher] = [await opened.connect(), await opened.connect()];
  await writer.query('begin');
  await writer.query('select fence($1, $2)', [opened.pair, granted.term.toString()]);
  const claiming = b.claim(claimOf('b', b, granted, { basis: 'testified' }));
  await eventually(
    async () => {
      const { rowCount } = await watcher.query(
        `select from pg_stat_activity
         where datname = current_database() and wait_event_type = 'Lock' and wait_event = 'advisory'`,
      );
      return rowCount === 0 ? null : true;
    },
    { what: 'the claim to wait', everyMs: 2 },
  );
  const renewed = await a.renew({ term: granted.term, incarnation: a.incarnation });
  t.is(renewed.kind, 'granted');
  t.is((await claiming).kind, 'refused', 'what was observed has changed by the renewal');
});

test('A renewal does not wait behind a probe that hangs', async (t) => {
  const { opened, node } = await bound(t);
  const a = node('a', { callTimeoutMs: 2_000 });
  await a.registry.take(null);
  const { term } = await grantTo('a', a);
  const blocker = await opened.connect();
  await blocker.query('begin');
  await blocker.query('select from node for update');
  const probing = a.probe();
  t.is((await a.renew({ term, incarnation: a.incarnation })).kind, 'granted');
  t.is((await probing).kind, 'failed');
  await blocker.query('rollback');
  t.is((await a.probe()).kind, 'written', 'the next call has a new connection');
});

test('F54: An adapter whose connections were cut goes on with new ones', async (t) => {
  const { opened, node } = await bound(t);
  const a = node('a');
  const { term } = await grantTo('a', a);
  const client = await opened.connect();
  await client.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where application_name = 'understudy heartbeat a' and datname = current_database()`,
  );
  await eventually(
    async () => {
      const answer = await a.renew({ term, incarnation: a.incarnation });
      return answer.kind === 'granted' ? true : null;
    },
    { what: 'a renewal on a new connection' },
  );
  t.is((await readRow(a)).term, term);
});

test('[H5] A node id is taken by one incarnation at a time', async (t) => {
  const { node } = await bound(t);
  const [first, second] = [node('a'), node('a')];
  t.deepEqual(await first.registry.read(), { kind: 'read', node: null });
  t.is((await first.probe()).kind, 'replaced', 'it was not taken yet');
  t.is((await first.registry.take(null)).kind, 'taken');
  t.is((await first.registry.take(null)).kind, 'taken', 'a lost answer can be asked for again');
  t.is((await second.registry.take(null)).kind, 'changed');
  t.is((await first.probe()).kind, 'written');
  const seen = await second.registry.read();
  t.like(seen, { kind: 'read', node: { incarnation: first.incarnation, seenSeq: 1n, pid: 1 } });
  t.is((await second.registry.take('of someone else')).kind, 'changed');
  t.is((await second.registry.take(first.incarnation)).kind, 'taken');
  t.is((await first.probe()).kind, 'replaced');
  t.is((await second.probe()).kind, 'written');
});

test('F75: After a jump of the clock a claimer that missed a renewal is refused all the same', async (t) => {
  // The store alone cannot tell a jump of its clock from silence: that is why the claimer measures the
  // silence itself. What the store adds is that nothing has changed since the silence was observed.
  const { opened, node } = await bound(t);
  const [a, b] = [node('a'), node('b')];
  const observed = await grantTo('a', a);
  await a.renew({ term: observed.term, incarnation: a.incarnation });
  const client = await opened.connect();
  await client.query("update lease set expires_at = expires_at - interval '1 hour'");
  const answer = await b.claim(claimOf('b', b, observed, { basis: 'silence' }));
  t.like(answer, { kind: 'refused', why: 'the lease has changed since it was observed' });
});
