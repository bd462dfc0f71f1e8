import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { orderForce, seeForForce } from '@understudy/scripts/cli/client/force-call';
import { orderPause, orderSwitchOver } from '@understudy/scripts/cli/client/operator-call';
import { whatForceCosts } from '@understudy/scripts/cli/explain/force';
import test, { type ExecutionContext } from 'ava';

interface FakeHeartbeat {
  readonly url: string;
  readonly asked: string[];
}

/** Answers `/status` with its role, and every order with that status and body. */
async function fakeHeartbeat(
  t: ExecutionContext,
  node: string,
  role: 'active' | 'passive',
  [status, body]: readonly [number, unknown],
): Promise<FakeHeartbeat> {
  const asked: string[] = [];
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    response.setHeader('content-type', 'application/json');
    if (request.url === '/status') {
      response.end(
        JSON.stringify({
          ...{ pair: 'p', node, role, phase: 'x', term: '3', active: null },
          ...{ ready: false, notReady: [], failsafe: false, paused: false },
        }),
      );
      return;
    }
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      asked.push(`${request.method} ${request.url} ${Buffer.concat(chunks).toString()}`);
      response.statusCode = status;
      response.end(JSON.stringify(body));
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

const pairOf = (own: string, peers: readonly string[]) => ({
  heartbeat: { listen: { host: '', port: 0 }, url: own, peers },
  token: 'token',
});
const done = { from: 'a', to: 'b', term: '4', interruptedMs: 20 };

test('an order goes to the active node alone, whichever file was read', async (t) => {
  const passive = await fakeHeartbeat(t, 'b', 'passive', [200, done]);
  const active = await fakeHeartbeat(t, 'a', 'active', [200, done]);
  const pair = pairOf(passive.url, [active.url]);
  t.deepEqual(await orderSwitchOver(pair, { to: 'b', timeoutMs: 5_000 }), done);
  t.deepEqual(active.asked, ['POST /switchover {"to":"b"}']);
  t.deepEqual(passive.asked, []);
});

test('F87: force is ordered of the node that is to take the role, and of nobody else', async (t) => {
  const passive = await fakeHeartbeat(t, 'b', 'passive', [200, done]);
  const active = await fakeHeartbeat(t, 'a', 'active', [200, done]);
  const pair = pairOf(active.url, [passive.url]);
  const seen = await seeForForce(pair, 'b', 5_000);
  t.deepEqual([seen.status.node, seen.active?.node], ['b', 'a']);
  t.deepEqual([...passive.asked, ...active.asked], [], 'to look changes nothing');
  t.deepEqual(await orderForce(pair, seen, 5_000), done);
  t.deepEqual(passive.asked, ['POST /switchover {"to":"b","force":true}']);
  t.deepEqual(active.asked, []);
  await t.throwsAsync(seeForForce(pair, 'c', 5_000), { message: /calls itself c/ });
  const timers = { ttlMs: 1_188, marginMs: 112 } as Parameters<typeof whatForceCosts>[0]['timers'];
  const text = whatForceCosts({ pair: 'p', timers }, seen);
  t.regex(text, /a is active, with term 3/);
  t.regex(text, /at the latest 1076 ms after its last renewal, two nodes may answer/);
});

test('without an active, whoever answers is asked', async (t) => {
  const passive = await fakeHeartbeat(t, 'b', 'passive', [200, { pausedForMs: 60_000 }]);
  const pair = pairOf('http://127.0.0.1:9', [passive.url]);
  t.is(await orderPause(pair, 60_000, 5_000), 60_000);
  t.is(await orderPause(pair, null, 5_000), 60_000);
  t.deepEqual(passive.asked, ['POST /pause {"forMs":60000}', 'POST /resume {}']);
});

test('a refusal is told with who refused, the reason and the code', async (t) => {
  const refusal = { error: { code: 'peer-not-ready', message: 'b is starting' } };
  const active = await fakeHeartbeat(t, 'a', 'active', [409, refusal]);
  const error = await t.throwsAsync(
    orderSwitchOver(pairOf(active.url, []), { to: null, timeoutMs: 5_000 }),
  );
  t.is(error?.message, 'refused by a: b is starting (peer-not-ready)');
});

test('a pair that does not answer is told as such', async (t) => {
  const order = { to: null, timeoutMs: 500 };
  const error = await t.throwsAsync(orderSwitchOver(pairOf('http://127.0.0.1:9', []), order));
  t.regex(error?.message ?? '', /^no heartbeat answers: /);
});
