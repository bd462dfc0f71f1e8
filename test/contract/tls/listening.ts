import { once } from 'node:events';
import type { RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Credentials } from '@understudy/shared/runtime/tls/credentials';
import { makeServer } from '@understudy/shared/runtime/tls/server';
import type { ExecutionContext } from 'ava';

export interface Listening {
  readonly server: Server;
  readonly port: number;
}

/** A server over TLS on loopback, for as long as the test lasts; its credentials end with it. */
export async function listen(
  t: ExecutionContext,
  credentials: Credentials,
  handle: RequestListener,
): Promise<Listening> {
  const server = makeServer({}, credentials, handle);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    credentials.close();
    server.close();
    server.closeAllConnections();
  });
  return { server, port: (server.address() as AddressInfo).port };
}
