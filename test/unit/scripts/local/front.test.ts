import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { startFront } from '@understudy/scripts/local/front';
import { freePort } from '@understudy/scripts/postgres/port';
import test from 'ava';

interface Echo {
  readonly port: number;
  readonly sockets: Set<Socket>;
  readonly server: Server;
  /** Ends the server and breaks its connections, as a killed controller's are. */
  kill(): Promise<void>;
}

/** A server that says its name, then sends back what it gets. */
async function startEcho(name: string, port = 0): Promise<Echo> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    socket.write(name);
    socket.pipe(socket);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    sockets,
    server,
    kill: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.resetAndDestroy();
      await closed;
    },
  };
}

async function open(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

async function firstText(socket: Socket): Promise<string> {
  const [data] = (await once(socket, 'data')) as [Buffer];
  return data.toString();
}

function upstreams(...ports: number[]) {
  return ports.map((port) => ({ host: '127.0.0.1', port }));
}

test('a connection reaches the one that is open, whichever it is', async (t) => {
  const [closed, echo] = [await freePort(), await startEcho('b')];
  const front = await startFront({ port: 0, upstreams: upstreams(closed, echo.port) });
  const socket = await open(front.port);
  t.is(await firstText(socket), 'b');
  socket.destroy();
  await front.close();
  await echo.kill();
});

test('a connection that comes while none is open waits for the next', async (t) => {
  const [first, second] = [await freePort(), await freePort()];
  const front = await startFront({ port: 0, upstreams: upstreams(first, second) });
  const sockets = await Promise.all([open(front.port), open(front.port), open(front.port)]);
  const texts = Promise.all(sockets.map(firstText));
  const echo = await startEcho('late', second);
  t.deepEqual(await texts, ['late', 'late', 'late']);
  for (const socket of sockets) socket.destroy();
  await front.close();
  await echo.kill();
});

test('of two that are open, the one that opened later gets what is new', async (t) => {
  const [a, spare] = [await startEcho('a'), await freePort()];
  const front = await startFront({ port: 0, upstreams: upstreams(a.port, spare) });
  const kept = await open(front.port);
  t.is(await firstText(kept), 'a');

  const b = await startEcho('b', spare);
  for (let text = 'a'; text !== 'b'; ) {
    const socket = await open(front.port);
    text = await firstText(socket);
    socket.destroy();
  }
  const back = once(kept, 'data');
  kept.write('still here');
  t.is(String((await back)[0]), 'still here');
  kept.destroy();
  await front.close();
  await Promise.all([a.kill(), b.kill()]);
});

test('a connection is closed when the one it reached dies, and a new one reaches the other', async (t) => {
  const [a, spare] = [await startEcho('a'), await freePort()];
  const front = await startFront({ port: 0, upstreams: upstreams(a.port, spare) });
  const socket = await open(front.port);
  await firstText(socket);
  const broken = once(socket, 'close');
  await a.kill();
  await broken;
  const b = await startEcho('b', spare);
  const next = await open(front.port);
  t.is(await firstText(next), 'b');
  next.destroy();
  await front.close();
  await b.kill();
});

test('a connection that waits too long is closed', async (t) => {
  const front = await startFront({ port: 0, upstreams: upstreams(await freePort()), waitMs: 50 });
  const socket = await open(front.port);
  socket.resume();
  await once(socket, 'close');
  t.pass();
  await front.close();
});

test('the end of a request still lets the answer through', async (t) => {
  const echo = await startEcho('');
  const front = await startFront({ port: 0, upstreams: upstreams(echo.port) });
  const socket = await open(front.port);
  const sent = Buffer.alloc(1_000_000, 'x');
  socket.end(sent);
  let received = 0;
  for await (const chunk of socket) received += (chunk as Buffer).length;
  t.is(received, sent.length);
  await front.close();
  await echo.kill();
});

test('a receiver that does not read holds the sender back', async (t) => {
  const silent = createServer((socket) => socket.pause());
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const front = await startFront({
    port: 0,
    upstreams: upstreams((silent.address() as AddressInfo).port),
  });
  const socket = await open(front.port);
  const chunk = Buffer.alloc(1_000_000);
  let sent = 0;
  // The kernel's buffers take some megabytes; without back pressure the front would take it all.
  while (sent < 200 && (socket.write(chunk) || (await drainedSoon(socket)))) sent += 1;
  t.true(sent < 200, `${sent} MB were taken`);
  socket.destroy();
  await front.close();
  silent.close();
});

async function drainedSoon(socket: Socket): Promise<boolean> {
  try {
    await once(socket, 'drain', { signal: AbortSignal.timeout(500) });
    return true;
  } catch {
    return false;
  }
}

test('closing the front closes its connections', async (t) => {
  const echo = await startEcho('x');
  const front = await startFront({ port: 0, upstreams: upstreams(echo.port) });
  const socket = await open(front.port);
  await firstText(socket);
  const closed = once(socket, 'close');
  await front.close();
  await closed;
  t.pass();
  await echo.kill();
});
