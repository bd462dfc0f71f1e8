import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import test from 'ava';
import { eventually } from '../../support/cluster/eventually.ts';
import { startTcpProxy } from '../../support/cluster/tcp-proxy.ts';

test('a link passes bytes on, holds them back while it is cut, and works again when mended', async (t) => {
  const echo = createServer((socket) => socket.pipe(socket));
  echo.listen(0, '127.0.0.1');
  await once(echo, 'listening');
  const proxy = await startTcpProxy(0, portOf(echo.address()));
  t.teardown(() => proxy.close());
  t.teardown(() => echo.close());

  const before = listen(connect(proxy.port, '127.0.0.1'));
  before.socket.write('one');
  await eventually(() => (before.heard() === 'one' ? true : null), { what: 'an echo' });

  proxy.cut();
  const during = listen(connect(proxy.port, '127.0.0.1'));
  before.socket.write('two');
  during.socket.write('three');
  await once(during.socket, 'connect');

  proxy.mend();
  await Promise.all([before.closed, during.closed]);
  t.is(before.heard(), 'one');
  t.is(during.heard(), '');

  const after = listen(connect(proxy.port, '127.0.0.1'));
  after.socket.write('four');
  await eventually(() => (after.heard() === 'four' ? true : null), { what: 'an echo' });
  after.socket.destroy();
});

function listen(socket: Socket) {
  const chunks: string[] = [];
  socket.on('data', (chunk) => chunks.push(String(chunk)));
  socket.on('error', () => socket.destroy());
  const closed = new Promise((resolve) => socket.once('close', resolve));
  return { socket, heard: () => chunks.join(''), closed };
}

function portOf(address: ReturnType<ReturnType<typeof createServer>['address']>): number {
  return typeof address === 'object' && address !== null ? address.port : 0;
}
