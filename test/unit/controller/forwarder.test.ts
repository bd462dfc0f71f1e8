import { once } from 'node:events';
import {
  Agent,
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestListener,
  type Server,
  request as send,
} from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { Forwarder } from '@understudy/controller/http/forwarder';
import test, { type ExecutionContext } from 'ava';
import { takePort } from '../../support/cluster/ports.ts';

async function listen(t: ExecutionContext, handle: RequestListener, port = 0): Promise<Server> {
  const server = createServer(handle);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  return server;
}

const portOf = (server: Server) => (server.address() as AddressInfo).port;
const urlOf = (server: Server) => `http://127.0.0.1:${portOf(server)}`;

/** A forwarder to somewhere; gives its port. */
async function forwarder(
  t: ExecutionContext,
  to: string,
  isAddressMoving = false,
): Promise<number> {
  const { answer } = new Forwarder({
    to,
    pair: 'orders',
    credentials: null,
    name: 'a',
    isAddressMoving,
    onForward: () => undefined,
  });
  return portOf(await listen(t, (request, response) => answer({ request, response })));
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

async function text(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

interface Asked {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string;
  readonly agent?: Agent;
}

function ask(port: number, asked: Asked = {}): Promise<Answer> {
  const { body, ...options } = asked;
  return new Promise((resolve, reject) => {
    const request = send({ host: '127.0.0.1', port, ...options }, async (response) => {
      const { statusCode: status = 0, headers } = response;
      resolve({ status, headers, body: await text(response) });
    });
    request.on('error', reject);
    request.end(body);
  });
}

test('method, path, body and the headers from end to end arrive, those of the connection do not', async (t) => {
  const seen: { message: IncomingMessage; body: string }[] = [];
  const next = await listen(t, async (message, response) => {
    seen.push({ message, body: await text(message) });
    response.setHeader('Set-Cookie', ['a=1', 'b=2']);
    response.setHeader('Understudy-Node', 'b');
    response.writeHead(201, 'Made').end('done');
  });
  const port = await forwarder(t, urlOf(next));
  const answer = await ask(port, {
    method: 'POST',
    path: '/api/v1/jobs/j/runs?x=1&y=%20',
    headers: {
      ...{ authorization: 'Bearer secret', 'Idempotency-Key': 'k1', 'x-many': ['1', '2'] },
      ...{ connection: 'keep-alive, X-Hop', 'x-hop': 'no', te: 'trailers', 'keep-alive': '5' },
    },
    body: '{"parameters":{}}',
  });
  t.like(answer, { status: 201, body: 'done' });
  t.deepEqual(answer.headers['set-cookie'], ['a=1', 'b=2']);
  t.is(answer.headers.connection, 'close');
  t.is(answer.headers['understudy-node'], 'b');
  const [arrived] = seen;
  t.is(arrived?.body, '{"parameters":{}}');
  t.like(arrived?.message, { method: 'POST', url: '/api/v1/jobs/j/runs?x=1&y=%20' });
  t.like(arrived?.message.headers, {
    authorization: 'Bearer secret',
    'idempotency-key': 'k1',
    'x-many': '1, 2',
    via: '1.1 understudy-a',
    connection: 'keep-alive',
    host: `127.0.0.1:${port}`,
  });
  for (const name of ['x-hop', 'te', 'keep-alive'])
    t.false(name in (arrived?.message.headers ?? {}));
});

test('a large body and one of unknown length pass through, and so do answers without a body', async (t) => {
  const next = await listen(t, async (message, response) => {
    const body = await text(message);
    if (message.method === 'DELETE') response.writeHead(204).end();
    else response.end(`${body.length}`);
  });
  const port = await forwarder(t, urlOf(next));
  const large = 'x'.repeat(3_000_000);
  t.is((await ask(port, { method: 'PUT', body: large })).body, '3000000');
  const headers = { 'transfer-encoding': 'chunked' };
  t.is((await ask(port, { method: 'POST', headers, body: 'abc' })).body, '3');
  t.like(await ask(port, { method: 'DELETE' }), { status: 204, body: '' });
  t.like(await ask(port, { method: 'HEAD' }), { status: 200, body: '' });
});

test('while the next controller opens its port the request waits for it', async (t) => {
  const port = await takePort();
  const asked = [
    ask(await forwarder(t, `http://127.0.0.1:${port}`), { method: 'POST', body: '{}' }),
    ask(await forwarder(t, `http://127.0.0.1:${port}`)),
  ];
  let count = 0;
  await new Promise((resolve) => setTimeout(resolve, 100));
  await listen(t, (_message, response) => void response.end(`${++count}`), port);
  t.deepEqual(
    (await Promise.all(asked)).map(({ status }) => status),
    [200, 200],
  );
  t.is(count, 2);
});

test('if it never opens the answer is 503, with a time to come back', async (t) => {
  const port = await forwarder(t, `http://127.0.0.1:${await takePort()}`);
  const answer = await ask(port, { method: 'POST', body: '{}' });
  t.is(answer.status, 503);
  t.is(answer.headers['retry-after'], '1');
  t.is(JSON.parse(answer.body).error.code, 'not-active');
});

/** Takes in a request and closes without an answer, the first so many times. */
async function breaking(t: ExecutionContext, times: number) {
  const seen: string[] = [];
  const server = await listen(t, async (message, response) => {
    seen.push(`${message.method} ${await text(message)}`);
    if (seen.length <= times) message.socket.destroy();
    else response.end('done');
  });
  return { seen, port: await forwarder(t, urlOf(server)) };
}

test('what may have arrived is not sent again, when it could be done twice', async (t) => {
  const { seen, port } = await breaking(t, 1);
  const answer = await ask(port, { method: 'POST', body: '{"a":1}' });
  t.is(answer.status, 502);
  t.is(JSON.parse(answer.body).error.code, 'answer-lost');
  t.deepEqual(seen, ['POST {"a":1}']);
});

test('what may have arrived is sent again, when it only reads or carries a key', async (t) => {
  const reading = await breaking(t, 2);
  t.is((await ask(reading.port)).body, 'done');
  t.is(reading.seen.length, 3);
  const keyed = await breaking(t, 1);
  const headers = { 'idempotency-key': 'k' };
  t.is((await ask(keyed.port, { method: 'POST', headers, body: '{"a":1}' })).body, 'done');
  t.deepEqual(keyed.seen, ['POST {"a":1}', 'POST {"a":1}']);
});

test('an answer that breaks off does so for the client as well', async (t) => {
  const next = await listen(t, (message, response) => {
    response.writeHead(200, { 'content-length': '10' });
    response.write('half', () => message.socket.destroy());
  });
  const port = await forwarder(t, urlOf(next));
  const socket = connect(port, '127.0.0.1');
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const got = await text(socket as unknown as IncomingMessage);
  t.regex(got, /half$/);
});

test('a client that goes away leaves nothing under way', async (t) => {
  let closed: () => void = () => undefined;
  const whenClosed = new Promise<void>((resolve) => {
    closed = resolve;
  });
  const next = await listen(t, (_message, response) => {
    response.writeHead(200);
    response.write(': beat\n\n');
    response.once('close', closed);
  });
  const port = await forwarder(t, urlOf(next));
  const socket = connect(port, '127.0.0.1');
  socket.write('GET /api/v1/events/stream HTTP/1.1\r\nHost: a\r\n\r\n');
  await once(socket, 'data');
  socket.destroy();
  await whenClosed;
  t.pass();
});

test('it is not ready, takes no workers, and does not send on what was sent on already', async (t) => {
  const next = await listen(t, (_message, response) => void response.end('b'));
  const port = await forwarder(t, urlOf(next));
  t.is(JSON.parse((await ask(port, { path: '/healthz' })).body).node, 'a');
  for (const path of ['/readyz', '/agent/v1/register']) {
    t.is((await ask(port, { path })).status, 503, path);
  }
  t.is((await ask(port, { headers: { via: '1.1 understudy-b' } })).status, 503);
  t.is((await ask(port, { headers: { via: '1.1 proxy' } })).status, 200);
});

test('connections to the next controller are kept, those of clients end', async (t) => {
  const sockets = new Set<unknown>();
  const next = await listen(t, (message, response) => {
    sockets.add(message.socket);
    response.end('b');
  });
  const port = await forwarder(t, urlOf(next));
  const agent = new Agent({ keepAlive: true });
  t.teardown(() => agent.destroy());
  for (let count = 0; count < 5; count += 1) {
    t.is((await ask(port, { agent })).headers.connection, 'close');
  }
  t.is(sockets.size, 1);
});

for (const [what, type, path] of [
  ['a stream of events', 'text/event-stream; charset=utf-8', '/events'],
  ['a log that is followed', 'text/plain', '/log?offset=0&follow=true'],
] as const) {
  test(`${what} soon ends where the address moves, with all that came`, async (t) => {
    const next = await listen(t, (_message, response) => {
      response.writeHead(200, { 'Content-Type': type }).write('first');
    });
    const answer = await ask(await forwarder(t, urlOf(next), true), { path });
    t.is(answer.status, 200);
    t.is(answer.body, 'first');
  });
}

test('what has an end of its own is not ended where the address moves', async (t) => {
  const next = await listen(t, (_message, response) => {
    response.writeHead(200, { 'Content-Type': 'text/plain' }).write('first');
    setTimeout(() => response.end(' and last'), 1_500);
  });
  const answer = await ask(await forwarder(t, urlOf(next), true), { path: '/log?follow=false' });
  t.is(answer.body, 'first and last');
});
