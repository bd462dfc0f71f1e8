import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { TcpProxy } from '@understudy/scripts/bench/proxy/proxy';
import test, { type ExecutionContext } from 'ava';
import { eventually } from '../../../support/cluster/eventually.ts';

test('a perfect link passes bytes on both ways, and the end of each', async (t) => {
  const { proxy, heard } = await echoBehindProxy(t);
  const client = dial(proxy);
  client.socket.write('one');
  await says(client, 'one');
  client.socket.end();
  await client.closed;
  t.is(heard(), 'one');
  await eventually(() => (proxy.connections === 0 ? true : null), {
    what: 'the connection to end',
  });
});

test('over a cut link nothing arrives, connections are made all the same, and all comes late', async (t) => {
  const { proxy, port, heard } = await echoBehindProxy(t);
  const before = dial(proxy);
  before.socket.write('one');
  await says(before, 'one');
  proxy.blackhole();
  before.socket.write('two');
  const during = dial(proxy);
  await once(during.socket, 'connect');
  // Past the link the server is there: what is sent after the rest arrives before it.
  await roundTrip(t, { port });
  t.is(before.heard(), 'one');
  t.is(heard(), 'one');
  before.socket.destroy();
  proxy.heal();
  await eventually(() => (heard() === 'onetwo' ? true : null), { what: 'what was sent' });
});

test('a link can be cut one way: what is asked arrives, what is answered does not', async (t) => {
  const { proxy, heard } = await echoBehindProxy(t);
  const client = dial(proxy);
  proxy.set({ cut: ['down'] });
  client.socket.write('one');
  await eventually(() => (heard() === 'one' ? true : null), { what: 'the question' });
  t.is(client.heard(), '');
  proxy.heal();
  await says(client, 'one');
});

test('a link that refuses resets the connections that there are, and those that are tried', async (t) => {
  const { proxy } = await echoBehindProxy(t);
  const before = dial(proxy);
  before.socket.write('one');
  await says(before, 'one');
  proxy.set({ refuses: true });
  await before.closed;
  t.is(before.problem(), 'ECONNRESET');
  const during = dial(proxy);
  await during.closed;
  t.is(during.problem(), 'ECONNRESET');
  proxy.heal();
  await roundTrip(t, proxy);
});

test('a slow link keeps the order, and takes its time each way', async (t) => {
  const { proxy } = await echoBehindProxy(t);
  proxy.set({ delayMs: 40, jitterMs: 30 });
  const client = dial(proxy);
  const startedAt = performance.now();
  for (const piece of ['a', 'b', 'c', 'd']) client.socket.write(piece);
  await says(client, 'abcd');
  t.true(performance.now() - startedAt >= 78);
});

test('a narrow link takes as long as its bytes need', async (t) => {
  const { proxy } = await echoBehindProxy(t);
  proxy.set({ bytesPerSecond: 100_000 });
  const client = dial(proxy);
  const startedAt = performance.now();
  client.socket.write('x'.repeat(10_000));
  await eventually(() => (client.heard().length === 10_000 ? true : null), { what: 'all of it' });
  t.true(performance.now() - startedAt >= 190);
});

test('a link that stalls holds up what it lost, and what comes after it', async (t) => {
  const { proxy } = await echoBehindProxy(t, () => 0);
  proxy.set({ stallChance: 0.1, stallMs: 60 });
  const client = dial(proxy);
  const startedAt = performance.now();
  client.socket.write('one');
  await says(client, 'one');
  t.true(performance.now() - startedAt >= 118);
});

test('an ambush: the answer to what was waited for is lost, that of others is not', async (t) => {
  const { proxy, heard } = await echoBehindProxy(t);
  proxy.ambush('commit', 'silent');
  const client = dial(proxy);
  client.socket.write('begin');
  await says(client, 'begin');
  t.false(proxy.sprung);
  client.socket.write('commit');
  await eventually(() => (heard() === 'begincommit' ? true : null), { what: 'the commit' });
  t.true(proxy.sprung);
  await roundTrip(t, proxy);
  t.is(client.heard(), 'begin');
});

test('an ambush: the connection is reset when the answer comes, or in the middle of the question', async (t) => {
  const { proxy, heard } = await echoBehindProxy(t);
  proxy.ambush('commit', 'reset');
  const first = dial(proxy);
  first.socket.write('commit');
  await first.closed;
  t.deepEqual([first.heard(), first.problem(), heard()], ['', 'ECONNRESET', 'commit']);
  proxy.ambush('COMMIT', 'torn');
  const second = dial(proxy);
  second.socket.write('COMMIT');
  await second.closed;
  await eventually(() => (heard() === 'commitCOM' ? true : null), { what: 'half of it' });
  t.is(second.heard(), '');
});

/** A server that says back what it hears, and a link to it. */
async function echoBehindProxy(t: ExecutionContext, random?: () => number) {
  const heard: string[] = [];
  const echo = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.on('data', (bytes) => {
      heard.push(String(bytes));
      if (socket.writable) socket.write(bytes);
    });
  });
  echo.listen(0, '127.0.0.1');
  await once(echo, 'listening');
  const address = echo.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const proxy = await TcpProxy.start(0, port, random);
  t.teardown(async () => {
    await proxy.close();
    echo.close();
  });
  return { proxy, port, heard: () => heard.join('') };
}

/** A connection that works from one end to the other and back. */
async function roundTrip(t: ExecutionContext, { port }: { readonly port: number }): Promise<void> {
  const client = dial({ port });
  client.socket.end();
  await client.closed;
  t.is(client.problem(), null);
}

function dial({ port }: { readonly port: number }) {
  const socket = connect(port, '127.0.0.1');
  const chunks: string[] = [];
  let problem: string | null = null;
  socket.on('data', (chunk) => chunks.push(String(chunk)));
  socket.on('error', (error: NodeJS.ErrnoException) => {
    problem = error.code ?? error.message;
  });
  return { socket, heard: () => chunks.join(''), closed: closedOf(socket), problem: () => problem };
}

function closedOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

function says(client: { heard(): string }, text: string): Promise<true> {
  return eventually(() => (client.heard() === text ? true : null), { what: `"${text}"` });
}
