import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export interface Upstream {
  readonly host: string;
  readonly port: number;
}

export interface FrontOptions {
  /** Listens here, on 127.0.0.1. */
  readonly port: number;
  /** Of these, at most one has its port open: the active controller's. */
  readonly upstreams: readonly Upstream[];
  /** How long a connection waits while no port is open. Default 10 s. */
  readonly waitMs?: number;
}

export interface Front {
  readonly port: number;
  close(): Promise<void>;
}

const SEARCH_EVERY_MS = 10;
/** After a switch-over two ports are open for some seconds: which one is new is found so soon. */
const LOOK_EVERY_MS = 100;
const DEFAULT_WAIT_MS = 10_000;
/** On loopback a connection is made or refused at once; a full queue is neither. */
const CONNECT_TIMEOUT_MS = 1_000;
/** A client that reads nothing for so long does not get the rest. */
const LAST_WORDS_MS = 5_000;

/**
 * One address for users: forwards each TCP connection to the controller whose port is open, and of two to
 * the one that opened later, for the other only forwards. Stands in for the load balancer or virtual IP of
 * a real installation. It looks at no byte; a connection whose controller ends is closed, and one that comes
 * while there is none waits for the next.
 */
export async function startFront(options: FrontOptions): Promise<Front> {
  const finder = new UpstreamFinder(options.upstreams);
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true });
  server.on('connection', (client) => {
    open.add(client);
    client.on('close', () => open.delete(client));
    client.on('error', () => client.destroy());
    const deadline = performance.now() + (options.waitMs ?? DEFAULT_WAIT_MS);
    void forward(client, finder, deadline);
  });
  await listen(server, options.port);
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : options.port,
    close: async () => {
      finder.stop();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const client of open) client.destroy();
      await closed;
    },
  };
}

async function forward(client: Socket, finder: UpstreamFinder, deadline: number): Promise<void> {
  const upstream = await finder.connect(deadline);
  if (upstream === null) client.destroy();
  else if (client.destroyed) upstream.destroy();
  else join(client, upstream);
}

/** Lets bytes flow both ways, as fast as the slower side takes them. The end of one side ends the other. */
function join(client: Socket, upstream: Socket): void {
  client.on('close', () => upstream.destroy());
  upstream.on('error', () => client.destroy());
  upstream.on('close', () => {
    // What the controller said before its end is still delivered, but not waited for without limit.
    client.setTimeout(LAST_WORDS_MS, () => client.destroy());
    client.destroySoon();
  });
  client.pipe(upstream);
  upstream.pipe(client);
}

/** Knows which port was open last; while none is, all waiting connections share one search. */
class UpstreamFinder {
  readonly #upstreams: readonly Upstream[];
  #last: Upstream | undefined;
  #search: Promise<Upstream | null> | null = null;
  readonly #stopping = new AbortController();

  constructor(upstreams: readonly Upstream[]) {
    this.#upstreams = upstreams;
    this.#last = upstreams[0];
    void this.#look();
  }

  /** A connection to the open port; null when none opened until the deadline. */
  async connect(deadline: number): Promise<Socket | null> {
    while (!this.#stopping.signal.aborted && performance.now() < deadline) {
      const socket = this.#last === undefined ? null : await tryConnect(this.#last);
      if (socket !== null) return socket;
      this.#search ??= this.#find().finally(() => {
        this.#search = null;
      });
      const abort = new AbortController();
      const limit = delay(Math.max(0, deadline - performance.now()), null, {
        signal: abort.signal,
      });
      await Promise.race([this.#search, limit.catch(() => null)]);
      abort.abort();
    }
    return null;
  }

  stop(): void {
    this.#stopping.abort();
  }

  /** Notices a port that was closed and opens beside the one that is in use: from now on it is used. */
  async #look(): Promise<void> {
    const signal = this.#stopping.signal;
    const open = new Set(this.#upstreams);
    while (!signal.aborted) {
      for (const upstream of this.#upstreams) {
        const isOpen = upstream === this.#last || (await isReached(upstream));
        if (!isOpen) open.delete(upstream);
        else if (!open.has(upstream)) {
          open.add(upstream);
          this.#last = upstream;
        }
      }
      await delay(LOOK_EVERY_MS, null, { signal }).catch(() => undefined);
    }
  }

  async #find(): Promise<Upstream | null> {
    // A search lives no longer than a connection waits: one that nobody waits for must not go on.
    const deadline = performance.now() + DEFAULT_WAIT_MS;
    while (!this.#stopping.signal.aborted && performance.now() < deadline) {
      for (const upstream of this.#upstreams) {
        if (!(await isReached(upstream))) continue;
        this.#last = upstream;
        return upstream;
      }
      await delay(SEARCH_EVERY_MS);
    }
    return null;
  }
}

async function isReached(upstream: Upstream): Promise<boolean> {
  const socket = await tryConnect(upstream);
  socket?.destroy();
  return socket !== null;
}

function tryConnect(upstream: Upstream): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = connect({ ...upstream, allowHalfOpen: true, noDelay: true });
    const fail = () => {
      socket.destroy();
      resolve(null);
    };
    socket.setTimeout(CONNECT_TIMEOUT_MS, fail);
    socket.once('error', fail);
    socket.once('connect', () => {
      socket.setTimeout(0);
      socket.off('timeout', fail);
      socket.off('error', fail);
      // Until it is joined to a client, an error must not end the process.
      socket.on('error', () => socket.destroy());
      resolve(socket);
    });
  });
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      resolve();
    });
  });
}
