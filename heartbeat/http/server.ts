import type { Server } from 'node:http';
import { answerBrokenRequests } from '@understudy/shared/runtime/broken-requests';
import type { Listen } from '@understudy/shared/runtime/config/types';
import { messageOf, UserError } from '@understudy/shared/runtime/errors';
import type { Credentials } from '@understudy/shared/runtime/tls/credentials';
import { makeServer } from '@understudy/shared/runtime/tls/server';
import type Koa from 'koa';

const HEADERS_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 10_000;
/** Longer than a peer keeps a connection that is idle. */
const KEEP_ALIVE_MS = 10_000;
/** A request that is too slow is found at the next look. */
const LOOK_FOR_SLOW_EVERY_MS = 5_000;
const MAX_CONNECTIONS = 1_000;

export interface ListenOptions {
  readonly listen: Listen;
  /** The setting that says where. */
  readonly setting: string;
  /** Null: plain HTTP. */
  readonly credentials: Credentials | null;
}

/** Opens a port for the application. Throws `UserError` that names the setting when it can't. */
export function listenOn(
  app: Koa,
  { listen, setting, credentials }: ListenOptions,
): Promise<Server> {
  const server = makeServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: LOOK_FOR_SLOW_EVERY_MS,
    },
    credentials,
    app.callback(),
  );
  server.maxConnections = MAX_CONNECTIONS;
  answerBrokenRequests(server);
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      const where = `${listen.host}:${listen.port}`;
      reject(new UserError(`cannot listen on ${where} (${setting}): ${messageOf(error)}`));
    });
    server.listen(listen.port, listen.host, () => resolve(server));
  });
}

/** Closes the port and every connection. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
