import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { orderPause, orderSwitchOver } from '@understudy/scripts/cli/client/operator-call';
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
