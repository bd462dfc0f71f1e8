import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';

/** A request, with its body when that was read already. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly body?: Buffer | undefined;
}

/** Somebody who answers in place of this controller. */
export type Elsewhere = (exchange: Exchange) => void;

interface Parked {
  readonly exchange: Exchange;
  /** It is let in; false: it was given to somebody else. */
  readonly release: (isIn: boolean) => void;
}

/** Said at any time: they tell of this process, not of work. */
const ALWAYS_IN = new Set(['/readyz', '/healthz']);
/** More than these don't wait: memory must stay bounded. */
const MOST_PARKED = 10_000;

/**
 * Where every request passes, twice: when it arrives, and when its body has come, for a slow sender is not
 * yet under way. At both places it can be parked: it waits until it is let in, or answered elsewhere.
 */
export class Gate {
  readonly #handle: RequestListener;
  readonly #underWay = new Set<ServerResponse>();
  readonly #parked = new Set<Parked>();
  #whenIdle: (() => void)[] = [];
  #parks: 'nobody' | 'work' | 'all' = 'nobody';
  #elsewhere: Elsewhere | null = null;

  constructor(handle: RequestListener) {
    this.#handle = handle;
  }

  /** How many requests are being answered; a long answer does not count once it has begun. */
  get underWay(): number {
    return this.#underWay.size;
  }

  /** How many wait. */
  get parked(): number {
    return this.#parked.size;
  }

  /** Whether who comes now is let in at once. */
  get isOpen(): boolean {
    return this.#parks === 'nobody' && this.#elsewhere === null;
  }

  /** A request arrives. */
  take(request: IncomingMessage, response: ServerResponse): void {
    const pass = (isIn: boolean) => {
      if (isIn) this.#handle(request, response);
    };
    this.#pass({ exchange: { request, response }, release: pass });
  }

  /** All of a request is here. Resolves when it is let in; false: somebody else answers it. */
  async enter(exchange: Exchange): Promise<boolean> {
    return await new Promise((resolve) => {
      const release = (isIn: boolean) => {
        if (isIn) this.#count(exchange.response);
        resolve(isIn);
      };
      this.#pass({ exchange, release });
    });
  }

  /** From now on requests wait. */
  park(): void {
    this.#parks = 'work';
  }

  /** From now on requests wait, whatever they ask: there is nobody yet who could answer. */
  parkAll(): void {
    this.#parks = 'all';
  }

  /** Lets in whatever waits, and what comes. */
  open(): void {
    this.#parks = 'nobody';
    const waiting = [...this.#parked];
    this.#parked.clear();
    for (const parked of waiting) this.#pass(parked);
  }

  /** From now on somebody else answers, also what waits. */
  divert(elsewhere: Elsewhere): void {
    this.#elsewhere = elsewhere;
    this.open();
  }

  /** A long answer has begun: nobody waits for its end. */
  letGo(response: ServerResponse): void {
    if (!this.#underWay.delete(response) || this.#underWay.size > 0) return;
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  /** Resolves when nothing is under way. */
  async whenIdle(): Promise<void> {
    if (this.#underWay.size === 0) return;
    await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
  }

  #pass(parked: Parked): void {
    const { exchange, release } = parked;
    if (this.#elsewhere !== null) {
      this.#elsewhere(exchange);
      release(false);
      return;
    }
    const path = exchange.request.url?.split('?', 1)[0] ?? '';
    const isIn = this.#parks === 'nobody' || (this.#parks === 'work' && ALWAYS_IN.has(path));
    if (!isIn) this.#park(parked);
    else release(true);
  }

  #count(response: ServerResponse): void {
    if (response.closed) return;
    this.#underWay.add(response);
    const leave = () => this.letGo(response);
    // The answer is given when it is complete here; how fast its reader is does not matter.
    response.once('prefinish', leave);
    response.once('close', leave);
  }

  #park(parked: Parked): void {
    const { response } = parked.exchange;
    if (this.#parked.size >= MOST_PARKED) {
      response.writeHead(503, { 'Retry-After': '1', Connection: 'close' }).end();
      parked.release(false);
      return;
    }
    this.#parked.add(parked);
    response.once('close', () => {
      if (this.#parked.delete(parked)) parked.release(false);
    });
  }
}
