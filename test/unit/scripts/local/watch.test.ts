import { getEventListeners, once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { startFront } from '@understudy/scripts/local/front';
import { type Move, watchMoves } from '@understudy/scripts/local/watch';
import { freePort } from '@understudy/scripts/postgres/port';
import test from 'ava';

async function startController(node: string, term: string, port: number): Promise<Server> {
  const server = createServer((_, response) => {
    response.writeHead(200, { 'understudy-node': node, 'understudy-term': term });
    response.end();
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

test('a move is told with who answered before and after, and how long nobody did', async (t) => {
  const [portA, portB] = [await freePort(), await freePort()];
  const host = '127.0.0.1';
  const front = await startFront({
    port: 0,
    upstreams: [
      { host, port: portA },
      { host, port: portB },
    ],
  });
  const stopping = new AbortController();
  const moves: Move[] = [];
  const waiting: (() => void)[] = [];
  const nextMove = () => new Promise<void>((resolve) => waiting.push(resolve));
  const a = await startController('a', '1', portA);
  const first = nextMove();
  const watching = watchMoves({
    ...{ host, port: front.port, signal: stopping.signal },
    onMove: (move) => {
      moves.push(move);
      waiting.shift()?.();
    },
  });
  await first;
  const second = nextMove();
  const diedAt = performance.now();
  a.close();
  a.closeAllConnections();
  const b = await startController('b', '2', portB);
  const servesAt = performance.now();
  await second;
  stopping.abort();
  await watching;
  t.deepEqual(moves[0]?.to, { node: 'a', term: '1' });
  t.like(moves[1], { from: { node: 'a', term: '1' }, to: { node: 'b', term: '2' } });
  t.true((moves[1]?.interruptedMs ?? 0) >= Math.floor(servesAt - diedAt) - 1);
  await front.close();
  b.close();
  b.closeAllConnections();
});

test('a connection that broke leaves nothing behind, however often that happens', async (t) => {
  const port = await freePort();
  const stopping = new AbortController();
  let questions = 0;
  const server = createServer((_, response) => {
    questions += 1;
    response.writeHead(200, { 'understudy-node': 'a', 'understudy-term': '1' });
    response.end();
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const watching = watchMoves({
    ...{ host: '127.0.0.1', port, signal: stopping.signal },
    onMove: () => undefined,
  });
  t.teardown(async () => {
    stopping.abort();
    await watching;
    server.close();
  });
  for (let broken = 1; broken <= 6; broken += 1) {
    while (questions < 2 * broken) await once(server, 'request');
    server.closeAllConnections();
  }
  const listening = getEventListeners(stopping.signal, 'abort').length;
  t.true(listening <= 3, `${listening} listeners`);
});
