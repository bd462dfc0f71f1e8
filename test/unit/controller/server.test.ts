import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { ApiServer } from '@understudy/controller/http/server';
import { TenureGuard } from '@understudy/controller/tenure/guard';
import { systemClock } from '@understudy/shared/runtime/clock';
import { silentLog } from '@understudy/shared/runtime/log';
import test from 'ava';

const REQUEST = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';

test('X7: who is connected when the port closes, and was not accepted yet, is answered', async (t) => {
  const { server, port } = await open();
  const socket = connect(port, '127.0.0.1');
  await new Promise((resolve) => process.nextTick(resolve));
  blockUntilConnected(port);
  const closed = server.close(5_000);
  let text = '';
  socket.on('data', (data) => {
    text += data.toString();
  });
  socket.write(REQUEST);
  await once(socket, 'close');
  await closed;
  t.regex(text, /^HTTP\/1\.1 200 OK/);
  t.regex(text, /connection: close/i);
});

test('who asks in the moment in which idle connections are let go of is answered first', async (t) => {
  const { server, port } = await open();
  t.teardown(() => server.cutOff());
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.on('data', (data) => {
    text += data.toString();
  });
  socket.write(REQUEST);
  await once(socket, 'data');
  server.sendIdleAway();
  socket.write(REQUEST);
  // The moment has come before anybody could read what has arrived.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_000);
  await once(socket, 'close');
  t.is(text.match(/HTTP\/1\.1 200 OK/g)?.length, 2);
});

for (const path of ['/', '/readyz', '/healthz']) {
  test(`who asks for ${path} before it serves waits, and is answered then`, async (t) => {
    const { server, port } = await openOnly();
    t.teardown(() => server.cutOff());
    const socket = connect(port, '127.0.0.1');
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
    const deadline = performance.now() + 20_000;
    while (server.gate.parked === 0 && performance.now() < deadline) await setImmediate();
    server.serve((_request, response) => response.end('well'));
    const [data] = await once(socket, 'data');
    t.regex(String(data), /HTTP\/1\.1 200 OK/);
    socket.destroy();
  });
}

async function open(): Promise<Opened> {
  const opened = await openOnly();
  opened.server.serve((_request, response) => response.end('well'));
  return opened;
}

interface Opened {
  readonly server: ApiServer;
  readonly port: number;
}

async function openOnly(): Promise<Opened> {
  const trustedUntilNs = systemClock.monotonicNs() + 60_000_000_000n;
  const guard = new TenureGuard(
    { term: 1n, trustedUntilNs },
    { clock: systemClock, trustMs: 1_000, onSlept: () => undefined },
  );
  const port = await freePort();
  const listen = { host: '127.0.0.1', port };
  const server = new ApiServer({ guard, node: 'a', listen, credentials: null, log: silentLog });
  await server.open();
  return { server, port };
}

/** Waits for the kernel to complete a connection to this port, while this process can't accept it. */
function blockUntilConnected(port: number): void {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const established = new RegExp(`: ${local} [0-9A-F:]+ 01 `);
  const deadline = performance.now() + 20_000;
  while (!established.test(readFileSync('/proc/net/tcp', 'utf8'))) {
    if (performance.now() > deadline) throw new Error(`nobody is connected to port ${port}`);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
