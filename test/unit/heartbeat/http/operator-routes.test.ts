import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { makeOperatorRouter } from '@understudy/heartbeat/http/operator-routes';
import type { Operator, PauseResult, SwitchOverResult } from '@understudy/heartbeat/operator';
import type { PairEvents } from '@understudy/shared/protocol/events';
import test, { type ExecutionContext } from 'ava';
import Koa from 'koa';

const TOKEN = 'the-token-of-this-pair';

class FakeOperator implements Operator {
  readonly asked: unknown[] = [];
  refuses = false;

  async switchOver(to: string | null): Promise<SwitchOverResult> {
    this.asked.push(['switchOver', to]);
    if (this.refuses) return { kind: 'refused', why: 'peer-not-ready', reason: 'b is starting' };
    return { kind: 'done', from: 'a', to: 'b', term: 7n, interruptedMs: 12.5 };
  }

  async pause(forMs: number | null): Promise<PauseResult> {
    this.asked.push(['pause', forMs]);
    if (this.refuses) return { kind: 'refused', why: 'store-away', reason: 'no answer' };
    return { kind: 'done', forMs };
  }

  async stepDown(): Promise<SwitchOverResult> {
    this.asked.push(['stepDown']);
    return { kind: 'done', from: 'a', to: 'b', term: 7n, interruptedMs: null };
  }

  async force(): Promise<SwitchOverResult> {
    this.asked.push(['force']);
    return { kind: 'done', from: 'b', to: 'a', term: 8n, interruptedMs: null };
  }

  async promote(): Promise<SwitchOverResult> {
    this.asked.push(['promote']);
    return { kind: 'refused', why: 'already-active', reason: 'a is active' };
  }
}

interface Asked {
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

async function heartbeat(t: ExecutionContext, isActive = true, isStarted = true) {
  const operator = new FakeOperator();
  const page: PairEvents = { items: [], next: null, source: 'database', problem: null, dropped: 0 };
  const pages: unknown[] = [];
  const router = makeOperatorRouter({
    ...{ token: TOKEN, node: 'a', isActive: () => isActive },
    operator: () => (isStarted ? operator : null),
    events: async (after, limit) => {
      pages.push([after, limit]);
      return page;
    },
  });
  const app = new Koa();
  app.use(router.routes());
  const server = createServer(app.callback()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const ask = async (method: string, path: string, asked: Asked = {}) => {
    const headers = { authorization: `Bearer ${TOKEN}`, ...asked.headers };
    const body = asked.body === undefined ? {} : { body: asked.body };
    const answer = await fetch(base + path, { method, headers, ...body });
    const text = await answer.text();
    const json = text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : null;
    const code = (json?.['error'] as { code?: string } | undefined)?.code;
    return { status: answer.status, text, json, code };
  };
  return { operator, ask, pages };
}

test('nothing is answered, and nothing happens, without the token', async (t) => {
  const { operator, ask } = await heartbeat(t);
  for (const [method, path] of [
    ['GET', '/events'],
    ['POST', '/switchover'],
    ['POST', '/pause'],
    ['POST', '/resume'],
    ['GET', '/rest/ha/status'],
    ['POST', '/rest/ha/status?change=BACKUP'],
  ] as const) {
    for (const authorization of ['', 'Bearer wrong', `Basic ${TOKEN}`]) {
      const { status, code } = await ask(method, path, { headers: { authorization } });
      t.deepEqual([status, code], [401, 'unauthorized'], `${method} ${path} ${authorization}`);
    }
  }
  t.deepEqual(operator.asked, []);
});

test('a switch-over answers who is active now, and the measured interruption', async (t) => {
  const { operator, ask } = await heartbeat(t);
  const { status, json } = await ask('POST', '/switchover', { body: '{"to":"b"}' });
  t.is(status, 200);
  t.deepEqual(json, { from: 'a', to: 'b', term: '7', interruptedMs: 12.5 });
  await ask('POST', '/switchover');
  t.deepEqual(operator.asked, [
    ['switchOver', 'b'],
    ['switchOver', null],
  ]);
});

test('F87: force is for the node that is asked itself, and it must be named', async (t) => {
  const { operator, ask } = await heartbeat(t, false);
  for (const body of ['{"force":true}', '{"force":true,"to":"b"}', '{"force":1,"to":"a"}']) {
    t.is((await ask('POST', '/switchover', { body })).code, 'bad-request', body);
  }
  t.deepEqual(operator.asked, []);
  const { json } = await ask('POST', '/switchover', { body: '{"force":true,"to":"a"}' });
  t.deepEqual(json, { from: 'b', to: 'a', term: '8', interruptedMs: null });
  t.deepEqual(operator.asked, [['force']]);
});

test('what is refused is answered with 409, a code and the reason', async (t) => {
  const { operator, ask } = await heartbeat(t);
  operator.refuses = true;
  const refused = await ask('POST', '/switchover');
  t.is(refused.status, 409);
  t.deepEqual(refused.json, { error: { code: 'peer-not-ready', message: 'b is starting' } });
  t.is((await ask('POST', '/pause')).code, 'store-away');
});

test('a pause takes milliseconds or a duration, half an hour without either; resume ends it', async (t) => {
  const { operator, ask } = await heartbeat(t);
  await ask('POST', '/pause', { body: '{"forMs":5000}' });
  await ask('POST', '/pause', { body: '{"for":"10m"}' });
  t.deepEqual((await ask('POST', '/pause')).json, { pausedForMs: 1_800_000 });
  t.deepEqual((await ask('POST', '/resume')).json, { pausedForMs: null });
  t.deepEqual(operator.asked, [
    ['pause', 5_000],
    ['pause', 600_000],
    ['pause', 1_800_000],
    ['pause', null],
  ]);
});

test('bad input is refused with 400 before anything is asked of the pair', async (t) => {
  const { operator, ask } = await heartbeat(t);
  for (const [path, body] of [
    ['/switchover', '{"to":""}'],
    ['/switchover', '{"to":"b","force":true}'],
    ['/switchover', '[]'],
    ['/switchover', '{'],
    ['/pause', '{"for":"soon"}'],
    ['/pause', '{"forMs":0}'],
    ['/pause', '{"forMs":5000,"for":"5s"}'],
    ['/pause', '{"for":"8d"}'],
  ] as const) {
    const { status, code } = await ask('POST', path, { body });
    t.deepEqual([status, code], [400, 'bad-request'], `${path} ${body}`);
  }
  t.is((await ask('POST', '/pause', { body: `"${'x'.repeat(20_000)}"` })).status, 413);
  t.deepEqual(operator.asked, []);
});

test('events come by cursor and limit, and a bad cursor is refused', async (t) => {
  const { ask, pages } = await heartbeat(t);
  t.is((await ask('GET', '/events')).status, 200);
  t.is((await ask('GET', '/events?after=mwq53jgq-a-12&limit=5')).status, 200);
  t.deepEqual(pages, [
    [null, 100],
    [{ atMs: Number.parseInt('mwq53jgq', 36), node: 'a', seq: 12 }, 5],
  ]);
  for (const query of ['after=5', 'limit=0', 'limit=1001', 'limit=x']) {
    t.is((await ask('GET', `/events?${query}`)).code, 'bad-request', query);
  }
});

test('S1: the status of main and backup, and its change', async (t) => {
  const headers = { authorization: `token ${TOKEN}` };
  const active = await heartbeat(t);
  t.is((await active.ask('GET', '/rest/ha/status', { headers })).text, 'MAIN');
  t.is((await active.ask('POST', '/rest/ha/status?change=MAIN', { headers })).text, 'MAIN');
  t.deepEqual(active.operator.asked, []);
  t.is((await active.ask('POST', '/rest/ha/status?change=BACKUP', { headers })).text, 'BACKUP');
  t.deepEqual(active.operator.asked, [['stepDown']]);

  const passive = await heartbeat(t, false);
  t.is((await passive.ask('GET', '/rest/ha/status', { headers })).text, 'BACKUP');
  t.is((await passive.ask('POST', '/rest/ha/status?change=MAIN', { headers })).text, 'MAIN');
  t.deepEqual(passive.operator.asked, [['switchOver', 'a']]);
  t.is((await passive.ask('POST', '/rest/ha/status?change=OTHER', { headers })).status, 400);
  passive.operator.refuses = true;
  t.is((await passive.ask('POST', '/rest/ha/status?change=MAIN', { headers })).status, 409);
});

test('a heartbeat that is still starting says so', async (t) => {
  const { ask } = await heartbeat(t, false, false);
  t.deepEqual(
    [(await ask('POST', '/switchover')).code, (await ask('POST', '/resume')).code],
    ['starting', 'starting'],
  );
});
