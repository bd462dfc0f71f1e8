import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** Said at any time: they tell of this process, not of work. */
const ALWAYS_IN = new Set(['/readyz', '/healthz']);
/** More than these don't wait: memory must stay bounded. */
const MOST_PARKED = 10_000;

/**
 * Where every request passes. It counts the answers that are under way, and can park what arrives: the
 * request waits, its body unread, until it is let in or sent somewhere else.
 */
export class Gate {
  readonly #underWay = new Set<ServerResponse>();
  readonly #parked = new Set<Exchange>();
  #whenIdle: (() => void)[] = [];
  #isParking = false;
  #handle: RequestListener;

  constructor(handle: RequestListener) {
    this.#handle = handle;
  }

  /** How many answers are under way; long ones do not count once they have begun. */
  get underWay(): number {
    return this.#underWay.size;
  }

  /** How many wait. */
  get parked(): number {
    return this.#parked.size;
  }

  take(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url?.split('?', 1)[0] ?? '';
    if (this.#isParking && !ALWAYS_IN.has(path)) this.#park({ request, response });
    else this.#letIn({ request, response });
  }

  /** From now on requests wait. */
  park(): void {
    this.#isParking = true;
  }

  /** Lets in whatever waits, and what comes. */
  open(): void {
    this.#isParking = false;
    const waiting = [...this.#parked];
    this.#parked.clear();
    for (const exchange of waiting) this.#letIn(exchange);
  }

  /** From now on somebody else answers, also what waits. */
  divert(handle: RequestListener): void {
    this.#handle = handle;
    this.open();
  }

  /** A long answer has begun: nobody waits for its end. */
  letGo(response: ServerResponse): void {
    this.#leave(response);
  }

  /** Resolves when no answer is under way. */
  async whenIdle(): Promise<void> {
    if (this.#underWay.size === 0) return;
    await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
  }

  #letIn({ request, response }: Exchange): void {
    this.#underWay.add(response);
    const leave = () => this.#leave(response);
    response.once('finish', leave);
    response.once('close', leave);
    this.#handle(request, response);
  }

  #leave(response: ServerResponse): void {
    if (!this.#underWay.delete(response) || this.#underWay.size > 0) return;
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  #park(exchange: Exchange): void {
    if (this.#parked.size >= MOST_PARKED) {
      exchange.response.writeHead(503, { 'Retry-After': '1', Connection: 'close' }).end();
      return;
    }
    this.#parked.add(exchange);
    exchange.response.once('close', () => this.#parked.delete(exchange));
  }
}
