import { connect, type Socket } from 'node:net';
import { connect as connectSecure } from 'node:tls';
import type { Listen } from '@understudy/shared/runtime/config/types';

/**
 * Opens connections to the port of our own controller. Over TLS no certificate is looked at: what is asked is
 * whether our own controller serves, and a certificate that has expired must not end a tenure.
 */
export class PortDial {
  readonly #port: number;
  readonly #host: string;
  readonly #isSecure: boolean;
  /** Of an earlier connection over TLS: the next handshake is shorter. */
  #session: Buffer | undefined;

  constructor({ host, port }: Listen, isSecure: boolean) {
    this.#host = loopbackOf(host);
    this.#port = port;
    this.#isSecure = isSecure;
  }

  /** What a request names as its host. */
  get authority(): string {
    return `${this.#host.includes(':') ? `[${this.#host}]` : this.#host}:${this.#port}`;
  }

  /** A connection that is being opened. What is written to it goes out once it is. */
  open(): Socket {
    const [host, port] = [this.#host, this.#port];
    if (!this.#isSecure) return connect({ host, port, noDelay: true });
    const socket = connectSecure({
      ...{ host, port, rejectUnauthorized: false },
      ...(this.#session === undefined ? {} : { session: this.#session }),
    });
    socket.setNoDelay();
    socket.on('session', (session) => {
      this.#session = session;
    });
    return socket;
  }
}

/** The address by which this host reaches a port that it listens on itself. */
function loopbackOf(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}
