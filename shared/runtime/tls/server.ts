import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http';
import { Server as HttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Credentials } from './credentials.ts';
import { rememberShown } from './shown.ts';

/** The first byte of a greeting in TLS: a record that is part of a handshake. */
const HANDSHAKE = 0x16;
const HANDSHAKE_WITHIN_MS = 10_000;
const LINGER_MS = 1_000;

/** A server for HTTP: over TLS where there are credentials, plain where there are none. */
export function makeServer(
  limits: ServerOptions,
  credentials: Credentials | null,
  handle: RequestListener,
): Server {
  return credentials === null
    ? createServer(limits, handle)
    : new TlsServer(limits, credentials, handle);
}

/**
 * A server over TLS. It asks everybody for a certificate and demands none: users with a token alone are served, too, and
 * load balancers without anything. Who must have one, and which, is looked at by the routes (`shown.ts`). Whoever speaks
 * plain HTTP is told so in plain HTTP, or served where that is accepted (`tls.plain`). A certificate that is replaced counts for connections that are made from then on.
 */
class TlsServer extends HttpsServer {
  /** Every connection, from its first moment on: before its handshake is over no list of HTTP has it. */
  readonly #connections = new Set<Socket>();
  readonly #begin: (socket: Socket) => void;
  readonly #acceptsPlain: boolean;

  constructor(limits: ServerOptions, credentials: Credentials, handle: RequestListener) {
    const { cert, key, ca } = credentials.current;
    super(
      {
        ...limits,
        ...{ cert, key, ca, requestCert: true, rejectUnauthorized: false },
        handshakeTimeout: HANDSHAKE_WITHIN_MS,
      },
      handle,
    );
    this.#acceptsPlain = credentials.acceptsPlain;
    const [begin] = this.listeners('connection');
    this.#begin = begin as (socket: Socket) => void;
    this.removeAllListeners('connection');
    this.on('connection', (socket: Socket) => this.#greet(socket));
    // Before HTTP gets it, so that each request finds what was found.
    this.prependListener('secureConnection', (socket: TLSSocket) => credentials.watch(socket));
    const forget = credentials.onReplacement((replacement) => {
      if (replacement.type === 'refused') return;
      const { cert, key, ca } = replacement.material;
      this.setSecureContext({ cert, key, ca });
    });
    this.once('close', forget);
  }

  override closeAllConnections(): void {
    super.closeAllConnections();
    for (const socket of this.#connections) socket.destroy();
  }

  #greet(socket: Socket): void {
    this.#connections.add(socket);
    socket.once('close', () => this.#connections.delete(socket));
    const giveUp = () => socket.destroy();
    const limit = setTimeout(giveUp, HANDSHAKE_WITHIN_MS);
    socket.once('error', giveUp);
    socket.once('close', () => clearTimeout(limit));
    socket.once('readable', () => {
      clearTimeout(limit);
      socket.off('error', giveUp);
      const first: Buffer | null = socket.read();
      if (first === null) return giveUp();
      const isPlain = first[0] !== HANDSHAKE;
      if (isPlain && !this.#acceptsPlain) return refusePlain(socket);
      // What was read belongs to the handshake, or to the first request.
      socket.unshift(first);
      if (isPlain) this.#serve(socket);
      else this.#begin.call(this, socket);
    });
  }

  /** What a server over TLS does with a connection whose handshake is over. */
  #serve(socket: Socket): void {
    rememberShown(socket, { type: 'plain' });
    this.emit('secureConnection', socket);
  }
}

function refusePlain(socket: Socket): void {
  const message = 'this port speaks TLS: use https://';
  const body = JSON.stringify({ error: { code: 'tls-needed', message } });
  const head = [
    'HTTP/1.1 400 Bad Request',
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${body.length}`,
    'Connection: close',
  ];
  socket.on('error', () => undefined);
  socket.resume();
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  const cut = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(cut));
}
