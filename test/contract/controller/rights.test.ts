import { randomUUID } from 'node:crypto';
import type { Page } from '@understudy/shared/protocol/api';
import type { AuditView, MadeToken, Role, TokenView } from '@understudy/shared/protocol/rights';
import test, { type ExecutionContext } from 'ava';
import { Bench, startStore } from './bench.ts';

let store: Awaited<ReturnType<typeof startStore>>;
test.before(async () => {
  store = await startStore();
});
test.after.always(() => store.end());

async function serving(t: ExecutionContext): Promise<Bench> {
  const bench = await Bench.start(t, store.postgres);
  await bench.activate(5n);
  return bench;
}

async function makeToken(
  bench: Bench,
  name: string,
  role: Role,
  more: { readonly agent?: string } = {},
): Promise<string> {
  const { status, body } = await bench.ask('POST', '/api/v1/tokens', { name, role, ...more });
  if (status !== 201) throw new Error(`no token: ${JSON.stringify(body)}`);
  return (body as MadeToken).token;
}

const as = (token: string) => ({ authorization: `Bearer ${token}` });

test('F122: a token may do what its role allows, until it is revoked, on either node', async (t) => {
  const bench = await serving(t);
  const viewer = await makeToken(bench, 'watch', 'viewer');
  const operator = await makeToken(bench, 'ci', 'operator');
  const status = async (on: Bench, token: string, method: string, path: string, body?: unknown) =>
    (await on.ask(method, path, body, as(token))).status;
  t.is(await status(bench, viewer, 'GET', '/api/v1/jobs'), 200);
  t.is(await status(bench, viewer, 'PUT', '/api/v1/jobs/j', { command: ['true'] }), 403);
  t.is(await status(bench, operator, 'PUT', '/api/v1/jobs/j', { command: ['true'] }), 201);
  t.is(await status(bench, operator, 'GET', '/api/v1/tokens'), 403);
  t.is(await status(bench, operator, 'GET', '/agent/v1/orders'), 403);

  const next = await Bench.start(t, store.postgres, { node: 'b', beside: bench });
  await next.activate(6n);
  t.is(await status(next, viewer, 'GET', '/api/v1/jobs'), 200);
  t.is((await next.ask('DELETE', '/api/v1/tokens/watch')).status, 204);
  t.is(await status(next, viewer, 'GET', '/api/v1/jobs'), 401);
  t.is(await status(next, operator, 'GET', '/api/v1/jobs'), 200);
  const again = await Bench.start(t, store.postgres, { node: 'a', beside: bench });
  await again.activate(7n);
  t.is(await status(again, viewer, 'GET', '/api/v1/jobs'), 401);
});

test('F122: the token of one agent is good for that agent alone, on either node; one of none for any', async (t) => {
  const bench = await serving(t);
  const bound = await makeToken(bench, 'host-1', 'agent', { agent: 'w1' });
  const unbound = await makeToken(bench, 'hosts', 'agent');
  const register = async (on: Bench, agent: string, token: string) => {
    const incarnation = randomUUID();
    const facts = { version: '1', labels: {}, slots: 1, highestTerm: '0', attempts: [] };
    const body = { agent, incarnation, ...facts };
    return await on.ask('POST', '/agent/v1/register', body, as(token));
  };
  t.is((await register(bench, 'w1', bound)).status, 200);
  const message = 'the token host-1 is that of agent w1, and not of w2';
  const refused = await register(bench, 'w2', bound);
  t.like(refused, { status: 403, body: { error: { code: 'wrong-agent', message } } });
  t.is((await register(bench, 'w2', unbound)).status, 200);
  const wrong = { name: 'x', role: 'operator', agent: 'w1' };
  t.is((await bench.ask('POST', '/api/v1/tokens', wrong)).status, 400);

  const next = await Bench.start(t, store.postgres, { node: 'b', beside: bench });
  await next.activate(6n);
  t.is((await register(next, 'w2', bound)).status, 403);
  t.is((await register(next, 'w1', bound)).status, 200);
  const { items } = (await next.ask('GET', '/api/v1/tokens')).body as Page<TokenView>;
  t.like(items, [
    { name: 'host-1', role: 'agent', agent: 'w1' },
    { name: 'hosts', agent: null },
  ]);
  const denied = await next.ask('GET', '/api/v1/audit?action=denied');
  t.like((denied.body as Page<AuditView>).items.at(-1), {
    ...{ actor: 'host-1', subject: 'POST /agent/v1/register', items: ['w2'] },
  });
});

test('what a token had opened is closed when it is revoked', async (t) => {
  const bench = await serving(t);
  const token = await makeToken(bench, 'watch', 'viewer');
  const response = await fetch(`${bench.url}/api/v1/events/stream`, { headers: as(token) });
  t.is(response.status, 200);
  const reading = response.text();
  await bench.ask('DELETE', '/api/v1/tokens/watch');
  await t.throwsAsync(reading);
});

test('F125: the value of a token is in no table', async (t) => {
  const bench = await serving(t);
  const token = await makeToken(bench, 'ci', 'operator');
  await bench.ask('PUT', '/api/v1/jobs/j', { command: ['true'] }, as(token));
  for (const table of ['token', 'audit', 'event', 'job']) {
    const rows = await bench.query(`select * from understudy.${table}`);
    t.true(rows.length > 0, table);
    t.false(JSON.stringify(rows).includes(token), table);
  }
});

test('a change and the entry that tells of it are one transaction', async (t) => {
  const bench = await serving(t);
  const token = await makeToken(bench, 'ci', 'operator');
  await bench.ask('PUT', '/api/v1/jobs/j', { command: ['true'] }, as(token));
  const rows = await bench.query(`select job.xmin = audit.xmin as same
    from understudy.job, understudy.audit where action = 'job.apply'`);
  t.deepEqual(rows, [{ same: true }]);
});

test('the audit trail tells who, what, from where and under which term, newest first', async (t) => {
  const bench = await serving(t);
  const token = await makeToken(bench, 'ci', 'operator');
  await bench.ask('PUT', '/api/v1/jobs/j', { command: ['true'] }, as(token));
  await bench.ask('PUT', '/api/v1/jobs/j', { command: ['false'], priority: 3 }, as(token));
  const { body: run } = await bench.ask('POST', '/api/v1/jobs/j/runs', {}, as(token));
  await bench.ask('DELETE', '/api/v1/jobs/nowhere', undefined, as(token));
  const trail = async (query: string) =>
    (await bench.ask('GET', `/api/v1/audit?${query}`)).body as Page<AuditView>;
  const { items } = await trail('actor=ci');
  t.like(items, [
    { action: 'run.create', subject: 'j', items: [(run as { id: string }).id], count: 1 },
    { action: 'job.apply', subject: 'j', items: ['command', 'priority'] },
    { action: 'job.apply', subject: 'j', items: [], term: '5', address: '127.0.0.1' },
  ]);
  t.is(items.length, 3);
  t.like((await trail('action=token.create')).items, [{ actor: 'pair', subject: 'ci' }]);
  const first = await trail('actor=ci&limit=2');
  t.is(first.items.length, 2);
  const second = await trail(`actor=ci&limit=2&after=${first.next}`);
  t.deepEqual([...first.items, ...second.items], items);
  t.is(second.next, null);
  t.deepEqual((await trail('until=2001-01-01T00:00:00Z')).items, []);
});

test('of each action so many entries are kept', async (t) => {
  const bench = await serving(t);
  await bench.query(`insert into understudy.audit
    (pair, at, term, actor, action, subject, address, items, count, batch, place)
    select 'orders', now(), 1, 'ci', action, 'j', '', '[]', 1, gen_random_uuid(), 0
    from generate_series(1, 20500), (values ('job.apply'), ('job.delete')) as of (action)`);
  const count = async (action: string) => {
    const rows = await bench.query(
      `select count(*)::integer from understudy.audit where action = '${action}'`,
    );
    return (rows[0] as { count: number }).count;
  };
  // Looked after by one group commit in sixteen.
  for (let tries = 0; tries < 400 && (await count('job.apply')) > 20_100; tries += 1) {
    await bench.ask('PUT', '/api/v1/jobs/j', { command: ['true'] });
  }
  t.true((await count('job.apply')) <= 20_100);
  t.is(await count('job.delete'), 20_500);
});
