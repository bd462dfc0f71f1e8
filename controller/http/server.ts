import { setMaxListeners } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { formatTerm } from '@understudy/shared/kernel/term';
import { TAKEN_HEADER } from '@understudy/shared/protocol/tenure';
import { answerBrokenRequests } from '@understudy/shared/runtime/broken-requests';
import type { Listen } from '@understudy/shared/runtime/config/types';
import type { Log } from '@understudy/shared/runtime/log';
import type { Credentials } from '@understudy/shared/runtime/tls/credentials';
import { makeServer } from '@understudy/shared/runtime/tls/server';
import type { TenureGuard } from '../tenure/guard.ts';
import { type Elsewhere, Gate } from './gate.ts';
import { hiddenPath } from './hidden-path.ts';

export interface ApiServerOptions {
  readonly guard: TenureGuard;
  readonly node: string;
  /** Where it listens; `path`: at a socket of this host. */
  readonly listen: Listen | { readonly path: string };
  /** Null: plain HTTP. */
  readonly credentials: Credentials | null;
  readonly log: Log;
}

const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
const KEEP_ALIVE_MS = 30_000;
/** A request that is too slow is found at the next look. */
const LOOK_FOR_SLOW_EVERY_MS = 5_000;
/** Ten thousand agents hold two each; who floods the port can't take all memory and descriptors. */
const MAX_CONNECTIONS = 24_000;
const SWEEP_EVERY_MS = 5;
const SEND_AWAY_AFTER_MS = 1_000;
/** A predecessor's port may be on its way to be freed. */
const OPEN_TRIES = 50;
const OPEN_RETRY_MS = 20;

/**
 * The controller's port: open only in a tenure, and deaf the moment it is not trusted. From `open` on who comes
 * waits, until `serve` says who answers.
 */
export class ApiServer {
  readonly #options: ApiServerOptions;
  readonly #closing = new AbortController();
  #handle: RequestListener = () => undefined;
  /** Every request passes here. */
  readonly gate = new Gate((request, response) => this.#answer(request, response));
  #server: Server | null = null;
  /** Connections, since it opened. */
  #taken = 0;

  constructor(options: ApiServerOptions) {
    this.#options = options;
    // Each follower of a log or of events is one: many are no sign of a leak.
    setMaxListeners(0, this.#closing.signal);
  }

  /** Aborts when this controller stops serving: long answers that have no end of their own end then. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  async open(): Promise<void> {
    this.gate.parkAll();
    const limits = {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: LOOK_FOR_SLOW_EVERY_MS,
    };
    const server = makeServer(limits, this.#options.credentials, (request, response) =>
      this.gate.take(request, response),
    );
    server.maxConnections = MAX_CONNECTIONS;
    server.on('connection', () => {
      this.#taken += 1;
    });
    answerBrokenRequests(server);
    this.#server = server;
    for (let tries = 1; ; tries++) {
      try {
        await this.#listen(server);
        return;
      } catch (error) {
        const isTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
        if (!isTaken || tries === OPEN_TRIES) throw error;
        await pause(OPEN_RETRY_MS);
      }
    }
  }

  /** From now on this answers whoever comes, and whoever has waited. */
  serve(handle: RequestListener): void {
    this.#handle = handle;
    this.gate.open();
  }

  /** Takes no new connection, lets answers under way finish for `graceMs`, then closes all. */
  async close(graceMs: number): Promise<void> {
    const server = this.#server;
    if (server === null) return;
    this.#closing.abort();
    await rehearseClose();
    // Here, for `close` would do it after the last look at who waits, and it takes a while.
    server.closeIdleConnections();
    await allAccepted(server);
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    // A connection whose answer ends now stays open for the next request: it is closed when it is idle.
    const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_EVERY_MS);
    const limit = setTimeout(() => server.closeAllConnections(), graceMs);
    await closed;
    clearInterval(sweep);
    clearTimeout(limit);
  }

  /** Whoever listens for what comes is sent away; all else is answered elsewhere from now on. */
  divert(elsewhere: Elsewhere): void {
    this.#closing.abort();
    this.gate.divert(elsewhere);
  }

  /**
   * From a moment on, whoever is connected and asks for nothing is let go of. Who asks more often than once a second has
   * been told with an answer by then: of the others hardly anybody begins to ask in the moment in which he is let go of.
   */
  sendIdleAway(): void {
    const sweep = async () => {
      const server = this.#server;
      if (server === null) return;
      // What has come is read by then: to close it with a request unread would be to refuse that.
      await shortTurn();
      server.closeIdleConnections();
      setTimeout(() => void sweep(), SWEEP_EVERY_MS).unref();
    };
    setTimeout(() => void sweep(), SEND_AWAY_AFTER_MS).unref();
  }

  cutOff(): void {
    this.#closing.abort();
    this.#server?.close();
    this.#server?.closeAllConnections();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { guard, node } = this.#options;
    // Past the deadline nobody is answered: somebody else may be active by now.
    if (guard.isOver) {
      request.socket.destroy();
      return;
    }
    response.setHeader('Understudy-Term', formatTerm(guard.term));
    response.setHeader('Understudy-Node', node);
    // The heartbeat asks like that; whose new connection is late wants to know whether others are taken.
    if (request.method === 'HEAD') response.setHeader(TAKEN_HEADER, `${this.#taken}`);
    if (this.#closing.signal.aborted) response.setHeader('Connection', 'close');
    this.#handle(request, response);
  }

  #listen(server: Server): Promise<void> {
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ ...this.#options.listen, backlog: 4_096 }, () => {
        server.off('error', reject);
        resolve();
      });
    });
  }
}

/** A turn of the event loop in which hardly anything is done takes less. */
const SHORT_TURN_MS = 0.15;
const LOOK_FOR_MS = 150;

/**
 * When a port is closed the kernel resets whoever is connected and was not accepted yet. The kernel is asked
 * who that is when a turn of the event loop begins, and libuv accepts one in each turn. So this resolves right
 * after a turn that brought nobody, and in which there was no time for anybody to come.
 */
async function allAccepted(server: Server): Promise<void> {
  let [accepted, before] = [0, 0];
  const count = () => {
    accepted += 1;
  };
  server.on('connection', count);
  await shortTurn(() => {
    const isSame = accepted === before;
    before = accepted;
    return isSame;
  });
  server.off('connection', count);
}

/** Resolves right after a turn of the event loop in which there was no time for anything to come, and if `isFine`. */
async function shortTurn(isFine: () => boolean = () => true): Promise<void> {
  const until = performance.now() + LOOK_FOR_MS;
  for (let isShort = false; !isShort && performance.now() < until; ) {
    const begun = await nextTurn();
    const tookMs = (await nextTurn()) - begun;
    isShort = isFine() && tookMs < SHORT_TURN_MS;
  }
}

/**
 * Closes a server that nobody can reach. What runs for the first time is compiled first: with that, one to
 * two milliseconds would pass between the last look at who waits and the end of the port, else 0.05.
 */
async function rehearseClose(): Promise<void> {
  const server = createServer();
  const isOpen = await new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen({ path: hiddenPath() }, () => resolve(true));
  });
  if (!isOpen) return;
  await new Promise((resolve) => server.close(resolve));
}

/** When the next turn ends, in ms. */
function nextTurn(): Promise<number> {
  return new Promise((resolve) => setImmediate(() => resolve(performance.now())));
}
