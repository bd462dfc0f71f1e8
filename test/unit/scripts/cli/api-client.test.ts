import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { makeApiClient } from '@understudy/scripts/cli/client/api-client';
import { followLog } from '@understudy/scripts/cli/client/follow-log';
import { allPages } from '@understudy/scripts/cli/client/pages';
import { freePort } from '@understudy/scripts/postgres/port';
import test from 'ava';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

async function serve(handler: Handler, port = 0): Promise<{ server: Server; url: string }> {
  const server = createServer(handler);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

function clientOf(controllers: readonly string[], heartbeats: readonly string[] = []) {
  return makeApiClient({ controllers, heartbeats, token: 'T', timeoutMs: 5_000 });
}

test('a request finds the controller that is active, with the token', async (t) => {
  const away = `http://127.0.0.1:${await freePort()}`;
  const seen: IncomingMessage[] = [];
  const { server, url } = await serve((request, response) => {
    seen.push(request);
    answer(response, 200, { items: [1], next: null });
  });
  t.deepEqual(await allPages(clientOf([away, url]), '/jobs', { state: undefined }), [1]);
  t.is(seen[0]?.url, '/api/v1/jobs');
  t.is(seen[0]?.headers.authorization, 'Bearer T');
  server.close();
});

test('the heartbeats tell where the active controller is', async (t) => {
  const away = `http://127.0.0.1:${await freePort()}`;
  const active = await serve((_, response) => answer(response, 200, { here: true }));
  const heartbeat = await serve((_, response) =>
    answer(response, 200, {
      ...{ pair: 'p', node: 'a', role: 'passive', phase: 'watching', term: '3', ready: true },
      ...{ notReady: [], failsafe: false, paused: false },
      active: { node: 'b', url: active.url },
    }),
  );
  const client = clientOf([away], [heartbeat.url]);
  t.deepEqual(await client.request({ method: 'GET', path: '/pair' }), { here: true });
  active.server.close();
  heartbeat.server.close();
});

test('a request is repeated with the same idempotency key until a controller takes it', async (t) => {
  const keys: unknown[] = [];
  const { server, url } = await serve((request, response) => {
    keys.push(request.headers['idempotency-key']);
    if (keys.length === 1) request.socket.destroy();
    else if (keys.length === 2) answer(response, 503, { error: { code: 'x', message: 'x' } });
    else answer(response, 201, { id: 'r' });
  });
  const run = await clientOf([url]).request({ method: 'POST', path: '/jobs/j/runs', body: {} });
  t.deepEqual(run, { id: 'r' });
  t.is(keys.length, 3);
  t.is(typeof keys[0], 'string');
  t.is(new Set(keys).size, 1);
  server.close();
});

test('a refusal is one message and is not repeated', async (t) => {
  let count = 0;
  const { server, url } = await serve((_, response) => {
    count += 1;
    const error = { code: 'not-found', message: 'there is no job j', details: { job: 'j' } };
    answer(response, 404, { error });
  });
  await t.throwsAsync(clientOf([url]).request({ method: 'GET', path: '/jobs/j' }), {
    name: 'UserError',
    message: 'there is no job j (not-found): {"job":"j"}',
  });
  t.is(count, 1);
  server.close();
});

test('all pages of a list are read', async (t) => {
  const pages: Record<string, unknown> = {
    '/api/v1/runs': { items: [1, 2], next: 'x' },
    '/api/v1/runs?after=x': { items: [3], next: null },
    // One that looked through much and found nothing is not the last.
    '/api/v1/runs?limit=2': { items: [], next: 'y' },
    '/api/v1/runs?after=y&limit=2': { items: [4], next: 'z' },
    '/api/v1/runs?after=z&limit=1': { items: [5], next: 'more' },
  };
  const { server, url } = await serve((request, response) =>
    answer(response, 200, pages[request.url ?? '']),
  );
  t.deepEqual(await allPages(clientOf([url]), '/runs', {}), [1, 2, 3]);
  t.deepEqual(await allPages(clientOf([url]), '/runs', {}, 2), [4, 5]);
  server.close();
});

test('a followed log goes on at the byte where a controller broke off', async (t) => {
  const log = Buffer.from('first line\nsecond line\nlast line\n');
  const offsets: number[] = [];
  let isOver = false;
  const { server, url } = await serve((request, response) => {
    const asked = new URL(request.url ?? '', 'http://x');
    if (!asked.pathname.endsWith('/log')) {
      const state = isOver ? 'succeeded' : 'running';
      return answer(response, 200, { id: 'r', state, logBytes: isOver ? log.length : 0 });
    }
    const offset = Number(asked.searchParams.get('offset'));
    offsets.push(offset);
    if (offsets.length === 1) {
      response.write(log.subarray(0, 15), () => request.socket.destroy());
      return;
    }
    isOver = true;
    response.end(log.subarray(offset));
  });
  const chunks: Buffer[] = [];
  const run = await followLog(clientOf([url]), 'r', (bytes) => chunks.push(bytes));
  t.is(run.state, 'succeeded');
  t.deepEqual(offsets, [0, 15]);
  t.is(Buffer.concat(chunks).toString(), log.toString());
  server.close();
});
