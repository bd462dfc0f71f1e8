import { connect, type Socket } from 'node:net';
import type { Link } from './conduct.ts';
import { OneWay, resetSocket } from './one-way.ts';

/** How a connection ends that runs into an ambush, see `TcpProxy.ambush`. */
export type Ending = 'silent' | 'reset' | 'torn';

/** One connection over a link, with its own end at the client and at the server. */
export class Connection {
  readonly #near: Socket;
  readonly #far: Socket;
  readonly #up: OneWay;
  readonly #down: OneWay;

  constructor(link: Link, near: Socket, to: number) {
    this.#near = near;
    this.#far = connect({ port: to, host: '127.0.0.1', allowHalfOpen: true });
    for (const socket of [near, this.#far]) socket.setNoDelay(true);
    this.#up = new OneWay('up', link, near, this.#far);
    this.#down = new OneWay('down', link, this.#far, near);
  }

  /** Calls back when both ends are closed. */
  onClosed(listener: () => void): void {
    let open = 2;
    const closed = () => {
      open -= 1;
      if (open === 0) listener();
    };
    this.#near.once('close', closed);
    this.#far.once('close', closed);
  }

  /** Calls with what the client sends, before it goes on its way; `true` keeps it from that. */
  intercept(watch: (bytes: Buffer) => boolean): void {
    this.#up.intercept = watch;
  }

  pump(): void {
    this.#up.pump();
    this.#down.pump();
  }

  /** What the server says from now on arrives nowhere. */
  silence(): void {
    this.#down.intercept = () => true;
  }

  /** Both ends are reset at the moment in which the server answers. */
  resetOnAnswer(): void {
    this.#down.intercept = () => {
      this.reset();
      return true;
    };
  }

  /** Delivers no more than the first half of these bytes, then resets both ends. */
  tear(bytes: Buffer): void {
    this.#far.write(bytes.subarray(0, Math.floor(bytes.length / 2)), () => this.reset());
  }

  reset(): void {
    this.#up.drop();
    this.#down.drop();
    for (const socket of [this.#near, this.#far]) resetSocket(socket);
  }
}
