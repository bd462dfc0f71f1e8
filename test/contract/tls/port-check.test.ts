import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { PortCheck } from '@understudy/heartbeat/supervise/port-check';
import type { Credentials } from '@understudy/shared/runtime/tls/credentials';
import { makeServer } from '@understudy/shared/runtime/tls/server';
import test, { type ExecutionContext } from 'ava';
import { DAY_MS, TestAuthority } from '../../support/certificates.ts';

interface Checked {
  readonly check: PortCheck;
  /** For each connection, whether its session was used before. */
  readonly connections: boolean[];
}

/** A controller that serves term 5, with a certificate that is good for so long. */
async function checkOf(t: ExecutionContext, forMs: number): Promise<Checked> {
  const authority = await TestAuthority.make('orders');
  t.teardown(() => authority.remove());
  const { key, certificate: cert } = await authority.issue(authority.node('a'), { forMs });
  const current = { key, cert, ca: authority.certificate };
  const nothing = () => undefined;
  const fake = { current, onReplacement: () => nothing, watch: nothing };
  const credentials = fake as unknown as Credentials;
  const server = makeServer({}, credentials, (_request, response) => {
    response.setHeader('understudy-term', '5').end();
  });
  const connections: boolean[] = [];
  server.on('secureConnection', (socket: TLSSocket) => connections.push(socket.isSessionReused()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const check = new PortCheck({
    ...{ listen: { host: '127.0.0.1', port }, timeoutMs: 10_000, isSecure: true },
  });
  t.teardown(() => {
    check.stop();
    server.close();
    server.closeAllConnections();
  });
  return { check, connections };
}

test('A controller that speaks TLS is checked on a connection that is kept, and on sessions that are', async (t) => {
  const { check, connections } = await checkOf(t, DAY_MS);
  for (let i = 0; i < 8; i++) t.is(await check.check(5n), null);
  t.deepEqual(connections, [false, true, true]);
  t.is(await check.check(6n), 'its port answers under term 5, not 6');
});

test('A controller whose certificate has expired serves: that is no reason to end it', async (t) => {
  const { check } = await checkOf(t, -DAY_MS);
  t.is(await check.check(5n), null);
});
