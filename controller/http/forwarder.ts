/**
 * Sends requests on to the controller that follows this one. What it guarantees: a request whose bytes may
 * have reached the other side is not sent twice, unless that can do no harm: it only reads, or it carries
 * an Idempotency-Key. Headers between client and server pass as they are, those of one connection don't.
 */
import {
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { messageOf } from '@understudy/shared/runtime/errors';
import {
  type ClientCredentials,
  isSecureUrl,
  NodeAgent,
  serverNameOf,
} from '@understudy/shared/runtime/tls/connect';
import { type RefusalCode, refusals } from '../work/refusal.ts';
import type { Elsewhere, Exchange } from './gate.ts';
import { endToEnd } from './headers.ts';

export interface ForwarderOptions {
  /** Base URL of the controller that answers from now on. */
  readonly to: string;
  readonly pair: string;
  /** What is shown to it, and by which it is judged; null: plain HTTP. */
  readonly credentials: ClientCredentials | null;
  /** What this forwarder calls itself in `Via`. */
  readonly name: string;
  /**
   * Users come under an address that moves with the role, when nobody is connected any more: an answer that follows
   * something, and has no end of its own, soon ends.
   */
  readonly isAddressMoving: boolean;
  /** Called before a request is sent on. */
  readonly onForward: () => void;
}

/** How a try went. `unsent`: not a byte left this process. */
type Try =
  | { readonly type: 'answered' }
  | { readonly type: 'unsent'; readonly error: unknown }
  | { readonly type: 'broken'; readonly error: unknown };

type Body =
  | { readonly type: 'whole'; readonly bytes: Buffer }
  | { readonly type: 'stream'; readonly source: IncomingMessage };

/** The other controller opens its port at this moment: it is tried again so soon, and for so long. */
const RETRY_EVERY_MS = 5;
const RETRY_FOR_MS = 2_000;
/** What follows something is followed here for so long. */
const FOLLOWED_FOR_MS = 500;
/** A body up to this length is kept, so that it can be sent again. */
const KEPT_BODY_BYTES = 256 * 1024;

/** Forwards to one controller, over connections that it keeps. */
export class Forwarder {
  readonly #options: ForwarderOptions;
  readonly #base: URL;
  readonly #agent: HttpAgent;
  readonly #isSecure: boolean;
  #isOpen = false;
  #looking: Promise<void> | null = null;

  constructor(options: ForwarderOptions) {
    this.#options = options;
    this.#base = new URL(options.to);
    const settings = { keepAlive: true, noDelay: true };
    const { credentials, pair } = options;
    this.#isSecure = isSecureUrl(options.to, credentials);
    this.#agent =
      credentials !== null && this.#isSecure
        ? new NodeAgent({ ...settings, credentials, pair })
        : new HttpAgent(settings);
  }

  readonly answer: Elsewhere = (exchange) => {
    const { request, response } = exchange;
    // The client learns with each answer that it is better off elsewhere.
    response.shouldKeepAlive = false;
    for (const name of response.getHeaderNames()) response.removeHeader(name);
    if (/^\/healthz([/?]|$)/.test(request.url ?? '')) return this.#answerHealth(response);
    const why = refusalOf(request);
    if (why !== null) return refuse(response, why);
    this.#options.onForward();
    void this.#forward(exchange);
  };

  #answerHealth(response: ServerResponse): void {
    respond(response, 200, { node: this.#options.name, forwardsTo: this.#options.to });
  }

  /** As a socket takes it: an IPv6 address has no brackets there. */
  get #host(): string {
    return this.#base.hostname.replace(/^\[|\]$/g, '');
  }

  async #forward(exchange: Exchange): Promise<void> {
    const { request, response } = exchange;
    try {
      const body = await bodyOf(exchange);
      const until = performance.now() + RETRY_FOR_MS;
      const mayRepeat = body.type === 'whole' && isHarmlessTwice(request);
      for (;;) {
        await this.#untilOpen(until);
        const leftMs = until - performance.now();
        const tried = await this.#try({ request, response, body, connectMs: Math.max(1, leftMs) });
        if (tried.type === 'answered' || response.destroyed) return;
        const isOver = performance.now() >= until;
        if (response.headersSent || (tried.type === 'broken' && !mayRepeat)) {
          throw tried.error;
        }
        if (isOver) return refuse(response, `the next controller: ${messageOf(tried.error)}`);
        if (tried.type === 'broken') await pause(RETRY_EVERY_MS);
        else this.#isOpen = false;
      }
    } catch (error) {
      // Whether it was carried out is not known: the client must not take this for a refusal.
      if (response.headersSent) response.destroy();
      else fail(response, 'answer-lost', `the next controller: ${messageOf(error)}`);
    }
  }

  /** Waits until the next controller's port is open, or the time is over. One looks for all who wait. */
  async #untilOpen(until: number): Promise<void> {
    if (this.#isOpen) return;
    this.#looking ??= this.#look(until).finally(() => {
      this.#looking = null;
    });
    await this.#looking;
  }

  async #look(until: number): Promise<void> {
    const { port } = this.#base;
    const number = Number(port === '' ? (this.#isSecure ? 443 : 80) : port);
    while (!this.#isOpen && performance.now() < until) {
      this.#isOpen = await isReached(this.#host, number, until - performance.now());
      if (!this.#isOpen) await pause(RETRY_EVERY_MS);
    }
  }

  #try({ request, response, body, connectMs }: TryOptions): Promise<Try> {
    return new Promise((resolve) => {
      const send = this.#isSecure ? httpsRequest : httpRequest;
      const path = `${this.#base.pathname.replace(/\/$/, '')}${request.url ?? '/'}`;
      const via = this.#options.name;
      const length = body.type === 'whole' ? body.bytes.length : null;
      const headers = endToEnd(request, { via, length });
      const { protocol, port } = this.#base;
      const onward = send({
        ...{ protocol, hostname: this.#host, port, path, headers },
        // The request names the host that its client asked; the next controller has another name.
        servername: serverNameOf(this.#host),
        method: request.method,
        agent: this.#agent,
        setHost: false,
      });
      let isConnected = false;
      const limit = setTimeout(() => onward.destroy(new Error('no connection')), connectMs);
      const give = (error: unknown) => {
        clearTimeout(limit);
        resolve({ type: isConnected ? 'broken' : 'unsent', error });
      };
      const abandon = () => onward.destroy(new Error('the client has gone'));
      response.once('close', abandon);
      onward.once('close', () => response.off('close', abandon));
      onward.once('error', give);
      onward.once('socket', (socket) => {
        const begin = () => {
          clearTimeout(limit);
          isConnected = true;
          if (body.type === 'whole') onward.end(body.bytes);
          else body.source.pipe(onward);
        };
        if (socket.connecting) socket.once(this.#isSecure ? 'secureConnect' : 'connect', begin);
        else begin();
      });
      onward.once('response', (incoming) => {
        if (this.#options.isAddressMoving && isFollowing(request, incoming)) {
          endLater(incoming, response);
        }
        relay(incoming, response).then(() => resolve({ type: 'answered' }), give);
      });
    });
  }
}

interface TryOptions {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly body: Body;
  readonly connectMs: number;
}

function isReached(host: string, port: number, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const give = (is: boolean) => {
      socket.destroy();
      resolve(is);
    };
    socket.setTimeout(Math.max(1, timeoutMs), () => give(false));
    socket.once('connect', () => give(true));
    socket.once('error', () => give(false));
  });
}

/** Passes an answer on as it comes. Rejects when it breaks off. */
function relay(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  return new Promise((resolve, reject) => {
    response.writeHead(incoming.statusCode ?? 502, incoming.statusMessage, [
      ...endToEnd(incoming, null),
      ...['Connection', 'close'],
    ]);
    // A stream of events begins with headers alone.
    response.flushHeaders();
    incoming.once('error', reject);
    response.once('finish', resolve);
    response.once('close', resolve);
    incoming.pipe(response);
  });
}

/** Streams of events, and logs that are followed, go on until somebody goes. */
function isFollowing(request: IncomingMessage, incoming: IncomingMessage): boolean {
  const isOfEvents = /^text\/event-stream/.test(incoming.headers['content-type'] ?? '');
  return isOfEvents || /[?&]follow=true(&|$)/.test(request.url ?? '');
}

function endLater(incoming: IncomingMessage, response: ServerResponse): void {
  const limit = setTimeout(() => {
    incoming.unpipe(response);
    response.end(() => incoming.destroy());
  }, FOLLOWED_FOR_MS);
  response.once('close', () => clearTimeout(limit));
}

/** A small body is read before it is sent, so that it can be sent again; a large one passes through. */
async function bodyOf({ request, body }: Exchange): Promise<Body> {
  if (body !== undefined) return { type: 'whole', bytes: body };
  const length = Number(request.headers['content-length'] ?? 0);
  const isChunked = request.headers['transfer-encoding'] !== undefined;
  if (isChunked || length > KEPT_BODY_BYTES) return { type: 'stream', source: request };
  const chunks: Buffer[] = [];
  if (length > 0) for await (const chunk of request) chunks.push(chunk as Buffer);
  return { type: 'whole', bytes: Buffer.concat(chunks) };
}

function isHarmlessTwice(request: IncomingMessage): boolean {
  const isReading = request.method === 'GET' || request.method === 'HEAD';
  return isReading || request.headers['idempotency-key'] !== undefined;
}

/** What is not sent on. Workers have to find the next controller themselves: their orders come from it. */
function refusalOf(request: IncomingMessage): string | null {
  const path = request.url ?? '/';
  const isOfThis = /^\/(readyz|agent)([/?]|$)/.test(path);
  if (isOfThis) return 'this controller has handed over and only forwards';
  const isForwarded = /\bunderstudy-/.test(String(request.headers.via ?? ''));
  return isForwarded ? 'this request was forwarded already' : null;
}

function refuse(response: ServerResponse, message: string): void {
  fail(response, 'not-active', message);
}

function fail(response: ServerResponse, code: RefusalCode, message: string): void {
  response.setHeader('Retry-After', '1');
  respond(response, refusals[code], { error: { code, message } });
}

function respond(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': Buffer.byteLength(text),
    Connection: 'close',
  });
  response.end(text);
}
