import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { followAgent } from './follow-agent.ts';
import { orderTo, type StartWire } from './order.ts';

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** A server for one test, and what was asked of it. */
async function serve(
  t: ExecutionContext,
  answer: (response: ServerResponse, request: IncomingMessage) => void,
): Promise<{ url: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      seen.push({ method, url, headers, body });
      answer(response, request);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

const open = '$' + '{';

function httpOrder(
  http: Partial<NonNullable<StartWire['http']>> & { url: string },
  more: Partial<StartWire> = {},
): StartWire {
  return orderTo({ http }, more);
}

test('a request is made as it was asked for, and its answer is the output', async (t) => {
  const { controller } = await followAgent(t);
  const { url, seen } = await serve(t, (response) => {
    response.writeHead(201, 'Made').end('{"id":7}\n');
  });
  const order = httpOrder(
    {
      method: 'POST',
      url: `${url}/things?for=${open}WHO}`,
      headers: { Authorization: `Bearer ${open}KEY}`, 'Content-Type': 'application/json' },
      body: `{"who":"${open}WHO}"}`,
    },
    { env: { WHO: 'a&b', KEY: 'k' } },
  );
  controller.order(order);
  const ended = await controller.untilReport('ended', order.run);
  t.is(ended.exitCode, 0);
  t.is(controller.log(order.run), 'HTTP/1.1 201 Made\n{"id":7}\n');
  t.is(seen.length, 1);
  t.like(seen[0], { method: 'POST', url: '/things?for=a%26b', body: '{"who":"a&b"}' });
  t.like(seen[0]?.headers, {
    authorization: 'Bearer k',
    'content-type': 'application/json',
    'understudy-run': order.run,
    'understudy-attempt': '1',
    'understudy-term': '1',
  });
});

test('an answer that is not expected fails the attempt, and its body is kept', async (t) => {
  const { controller } = await followAgent(t);
  const { url } = await serve(t, (response) => {
    response.writeHead(503).end('later');
  });
  const order = httpOrder({ url });
  controller.order(order);
  const ended = await controller.untilReport('ended', order.run);
  t.is(ended.exitCode, 1);
  t.is(ended.reason, 'answered 503 Service Unavailable; expected 200-299');
  t.regex(controller.log(order.run), /\nlater$/);
  const expected = httpOrder({ url, expect: [503] });
  controller.order(expected);
  t.is((await controller.untilReport('ended', expected.run)).exitCode, 0);
});

test('a redirection is an answer like others', async (t) => {
  const { controller } = await followAgent(t);
  const { url, seen } = await serve(t, (response) => {
    response.writeHead(302, { location: '/elsewhere' }).end();
  });
  const order = httpOrder({ url });
  controller.order(order);
  t.is((await controller.untilReport('ended', order.run)).exitCode, 1);
  t.is(seen.length, 1);
});

test('where nothing was sent, nothing was started', async (t) => {
  const { controller } = await followAgent(t);
  for (const [http, reason] of [
    [{ url: 'http://127.0.0.1:1/' }, /ECONNREFUSED/],
    [{ url: `http://127.0.0.1:1/${open}MISSING}` }, /no value for MISSING/],
  ] as const) {
    const order = httpOrder(http);
    controller.order(order);
    const ended = await controller.untilReport('ended', order.run);
    t.is(ended.outcome, 'not-started');
    t.regex(ended.reason ?? '', reason);
  }
});

test('a connection that breaks after the request is a failure', async (t) => {
  const { controller } = await followAgent(t);
  const { url } = await serve(t, (_response, request) => request.socket.destroy());
  const order = httpOrder({ url });
  controller.order(order);
  t.like(await controller.untilReport('ended', order.run), { outcome: 'exited', exitCode: 1 });
});

test('a request that takes too long is given up, and so is one that is cancelled', async (t) => {
  const { controller } = await followAgent(t);
  let asked: () => void = () => undefined;
  const { url } = await serve(t, () => asked());
  const slow = httpOrder({ url }, { timeoutMs: 200 });
  controller.order(slow);
  t.is((await controller.untilReport('ended', slow.run)).outcome, 'timed-out');
  const order = httpOrder({ url });
  const arrived = new Promise<void>((resolve) => {
    asked = resolve;
  });
  controller.order(order);
  await arrived;
  const { run } = order;
  controller.order({ type: 'cancel', term: '1', run, attempt: 1, reason: 'by request' });
  t.like(await controller.untilReport('ended', run), {
    outcome: 'cancelled',
    reason: 'by request',
  });
});

test('no more of an answer is kept than the limit', async (t) => {
  const { controller } = await followAgent(t);
  const { url } = await serve(t, (response) => {
    response.end('x'.repeat(100_000));
  });
  const order = httpOrder({ url }, { output: { limitBytes: 100, onLimit: 'truncate' } });
  controller.order(order);
  const ended = await controller.untilReport('ended', order.run);
  t.is(ended.exitCode, 0);
  t.is(ended.logBytes, 100);
  t.regex(ended.reason ?? '', /bytes of its output were dropped/);
});
