import { createServer, type Server } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import type { Listen } from '@understudy/shared/runtime/config/types';
import { messageOf, UserError } from '@understudy/shared/runtime/errors';
import type Koa from 'koa';

const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;
const KEEP_ALIVE_MS = 30_000;
/** The port of a process that was just killed is free again at once, or nearly. */
const RETRIES = 40;
const RETRY_MS = 25;

/** Opens the port. A port that is in use is tried again for a moment. */
export async function openServer(app: Koa, listen: Listen): Promise<Server> {
  for (let attempt = 1; ; attempt += 1) {
    const server = createServer(
      {
        headersTimeout: HEADERS_TIMEOUT_MS,
        requestTimeout: REQUEST_TIMEOUT_MS,
        keepAliveTimeout: KEEP_ALIVE_MS,
      },
      app.callback(),
    );
    try {
      await listening(server, listen);
      return server;
    } catch (error) {
      const isInUse = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
      if (!isInUse || attempt === RETRIES) {
        const where = `${listen.host}:${listen.port}`;
        throw new UserError(`cannot listen on ${where} (controller.listen): ${messageOf(error)}`);
      }
      await pause(RETRY_MS);
    }
  }
}

function listening(server: Server, { host, port }: Listen): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: 1_024 }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** Closes the port; resolves when every request is answered. Connections without one are closed. */
export async function drainServer(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
}
