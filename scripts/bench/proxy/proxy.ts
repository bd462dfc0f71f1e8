import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { type Conduct, Link, perfect } from './conduct.ts';
import { Connection, type Ending } from './connection.ts';

/**
 * A TCP link between programs of a test, which can be made slow, narrow, lossy, deaf or dead. It passes
 * connections on from a port of 127.0.0.1 to another.
 */
export class TcpProxy {
  readonly port: number;
  readonly #server: Server;
  readonly #link: Link;
  readonly #to: number;
  readonly #connections = new Set<Connection>();
  #ambush: Ambush | null = null;

  private constructor(server: Server, port: number, to: number, random: () => number) {
    this.#server = server;
    this.port = port;
    this.#to = to;
    this.#link = new Link(random);
    server.on('connection', (near) => this.#accept(near));
  }

  /** Listens on a port (0: any) for what listens, or will listen, on another. */
  static async start(
    port: number,
    to: number,
    random: () => number = Math.random,
  ): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: true });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const own = typeof address === 'object' && address !== null ? address.port : port;
    return new TcpProxy(server, own, to, random);
  }

  get conduct(): Conduct {
    return this.#link.conduct;
  }

  /** How many connections are open, as far as the clients know or the servers. */
  get connections(): number {
    return this.#connections.size;
  }

  /** From now on the link behaves like this; what is not mentioned, perfectly. */
  set(conduct: Partial<Conduct>): void {
    this.#link.conduct = { ...perfect, ...conduct };
    if (this.#link.conduct.refuses) this.reset();
    for (const connection of this.#connections) connection.pump();
  }

  /** Nothing arrives any more in either direction, and nobody is told: what a firewall's DROP does. */
  blackhole(): void {
    this.set({ cut: ['up', 'down'] });
  }

  /** All is well again. What was held back arrives now, late, as it does with real TCP. */
  heal(): void {
    this.#ambush = null;
    this.set({});
  }

  /** Ends all connections of this moment with a reset. */
  reset(): void {
    for (const connection of this.#connections) connection.reset();
  }

  /**
   * Waits for a client to send these bytes, and ends its connection. `silent`: they are delivered, and
   * nothing that the server says arrives any more. `reset`: they are delivered, and both ends are reset
   * when the server answers. `torn`: half of them are delivered, and both ends are reset.
   */
  ambush(bytes: string, ending: Ending): void {
    this.#ambush = { bytes, ending };
  }

  /** Whether somebody has met the ambush. */
  get sprung(): boolean {
    return this.#ambush === null;
  }

  async close(): Promise<void> {
    this.reset();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(near: Socket): void {
    if (this.#link.conduct.refuses) {
      near.on('error', () => undefined);
      near.resetAndDestroy();
      return;
    }
    const connection = new Connection(this.#link, near, this.#to);
    this.#connections.add(connection);
    connection.onClosed(() => this.#connections.delete(connection));
    connection.intercept((bytes) => this.#springs(connection, bytes));
  }

  #springs(connection: Connection, bytes: Buffer): boolean {
    const ambush = this.#ambush;
    if (ambush === null || !bytes.includes(ambush.bytes)) return false;
    this.#ambush = null;
    switch (ambush.ending) {
      case 'silent':
        connection.silence();
        return false;
      case 'reset':
        connection.resetOnAnswer();
        return false;
      case 'torn':
        connection.tear(bytes);
        return true;
    }
  }
}

interface Ambush {
  readonly bytes: string;
  readonly ending: Ending;
}
