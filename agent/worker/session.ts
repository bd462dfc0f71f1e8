/**
 * One stay with one controller: register, hold the order stream, report. It ends when the controller
 * can't be heard any more, sends us away, or speaks for a term that is over. Reports and orders share
 * that end, so that a worker that can't hear never looks healthy.
 */
import type { IncomingMessage } from 'node:http';
import { formatTerm, type Term } from '@understudy/shared/kernel/term';
import {
  type Order,
  orderSchema,
  type Registered,
  type RegisterWire,
  registeredSchema,
  workerAbilities,
} from '@understudy/shared/protocol/agent';
import { messageOf } from '@understudy/shared/runtime/errors';
import { createParser } from 'eventsource-parser';
import type { Loss } from '../follow/follow.ts';
import {
  callJson,
  callStream,
  describeReply,
  isStoreAway,
  type Lines,
  type Reply,
} from './call.ts';
import type { ContactWatch } from './contact.ts';
import type { Ledger } from './ledger.ts';
import type { WorkerConfig } from './link.ts';
import { handleOrder, type OrderDesk, refuseUnknown } from './orders.ts';
import type { Reporter } from './reporter.ts';

export interface SessionParts {
  readonly config: WorkerConfig;
  readonly lines: Lines;
  readonly ledger: Ledger;
  readonly desk: OrderDesk;
  readonly reporter: Reporter;
  readonly contact: ContactWatch;
  /** The number of a registration: higher than of any before it, in this process or an earlier one. */
  readonly nextSession: () => number;
  /** The stream is held: from now on this controller is the one we follow. */
  readonly onJoined: (term: Term) => void;
  readonly onInvalidOrder: (data: string) => void;
}

/** Stays with a controller until it is lost, and says why it was. */
export async function stayWith(
  url: string,
  parts: SessionParts,
  signal: AbortSignal,
): Promise<Loss> {
  const session = new Session(url, parts, signal);
  return await session.run();
}

/** What users may send, twice over: a controller that sends more is none. */
const MOST_LETTERS_OF_ORDER = 16 * 1024 * 1024;
const MOST_WAITING = 100;
const MOST_REFUSED = 10_000;

class Session {
  readonly #url: string;
  readonly #parts: SessionParts;
  readonly #over = new AbortController();
  readonly #signal: AbortSignal;
  #end: Loss | null = null;
  #orders: Promise<void> = Promise.resolve();
  #waiting = 0;
  #joined = false;

  constructor(url: string, parts: SessionParts, signal: AbortSignal) {
    this.#url = url;
    this.#parts = parts;
    this.#signal = AbortSignal.any([signal, this.#over.signal]);
  }

  async run(): Promise<Loss> {
    try {
      const session = this.#parts.nextSession();
      const registered = await this.#register(session);
      if (registered !== null) await this.#hold(session, registered.beatEveryMs);
    } catch (error) {
      this.#finish(messageOf(error));
    }
    await this.#orders;
    return this.#end ?? { reason: 'closed', leaving: false };
  }

  async #register(session: number): Promise<Registered | null> {
    const { config, ledger } = this.#parts;
    const body: RegisterWire = {
      agent: config.agent,
      incarnation: config.incarnation,
      version: config.version,
      labels: { ...config.labels },
      slots: config.slots,
      highestTerm: formatTerm(ledger.highest),
      journal: ledger.journalId,
      session,
      abilities: [...workerAbilities],
      attempts: ledger.unsettled().map(({ run, attempt, end }) => {
        return { run, attempt, state: end === null ? 'running' : 'ended' };
      }),
    };
    const reply = await this.#post('/agent/v1/register', body);
    if (reply.status !== 200) {
      const reason = `registration: ${describeReply(reply)}`;
      this.#finish(reason, { patient: isStoreAway(reply) });
      return null;
    }
    const parsed = registeredSchema.safeParse(reply.body);
    if (!parsed.success) {
      this.#finish('registration: answered with something else than what was agreed');
      return null;
    }
    if (parsed.data.term < ledger.highest) {
      this.#finish(`it serves term ${parsed.data.term}, term ${ledger.highest} has been seen`);
      return null;
    }
    await ledger.raise(parsed.data.term);
    this.#parts.contact.agreed(parsed.data);
    for (const key of parsed.data.unwanted) await this.#parts.desk.runner.drop(key);
    return parsed.data;
  }

  async #hold(session: number, beatEveryMs: number): Promise<void> {
    const { config } = this.#parts;
    const url = this.#urlOf('/agent/v1/orders');
    url.searchParams.set('agent', config.agent);
    url.searchParams.set('incarnation', config.incarnation);
    url.searchParams.set('session', String(session));
    const response = await callStream({
      method: 'GET',
      url,
      lines: this.#parts.lines,
      token: config.token,
      timeoutMs: config.requestTimeoutMs,
      signal: this.#signal,
    });
    if (response.statusCode !== 200) {
      response.destroy();
      this.#finish(
        `order stream: ${describeReply({ status: response.statusCode ?? 0, body: null })}`,
      );
      return;
    }
    await Promise.all([this.#read(response, silenceLimitMs(beatEveryMs)), this.#report()]);
  }

  async #read(response: IncomingMessage, limitMs: number): Promise<void> {
    const parser = createParser({
      onEvent: (event) => this.#take(event.data),
      onError: ({ type }) => {
        if (type === 'max-buffer-size-exceeded') this.#finish('it sends an order without end');
      },
      maxBufferSize: MOST_LETTERS_OF_ORDER,
    });
    const deaf = setTimeout(() => this.#finish(`nothing heard for ${limitMs} ms`), limitMs);
    const decoder = new TextDecoder();
    const { nowMs } = this.#parts.desk;
    let heardAtMs = nowMs();
    try {
      for await (const chunk of response) {
        // After a freeze of this process, what waited on the connection may be long out of date.
        if (nowMs() - heardAtMs > limitMs) this.#finish(`nothing heard for ${limitMs} ms`);
        heardAtMs = nowMs();
        deaf.refresh();
        parser.feed(decoder.decode(chunk as Buffer, { stream: true }));
        // Who sends faster than orders can be carried out is read more slowly.
        if (this.#waiting > MOST_WAITING) await this.#orders;
      }
      // A controller that leaves says so and closes in one breath: what it said counts first.
      await this.#orders;
      this.#finish('the order stream was closed');
    } catch (error) {
      await this.#orders;
      this.#finish(`the order stream broke: ${messageOf(error)}`);
    } finally {
      clearTimeout(deaf);
    }
  }

  async #report(): Promise<void> {
    await this.#parts.reporter.run({
      signal: this.#signal,
      post: (body) => this.#post('/agent/v1/reports', body),
      fail: (reason) => this.#finish(reason),
      heard: (term) => this.#parts.ledger.raise(term),
    });
  }

  #take(data: string): void {
    const order = parseOrder(data);
    if (order === null) {
      this.#parts.onInvalidOrder(data);
      refuseUnknown(data, this.#parts.desk);
      return;
    }
    this.#waiting += 1;
    this.#orders = this.#orders.then(async () => {
      await this.#handle(order);
      this.#waiting -= 1;
    });
  }

  async #handle(order: Order): Promise<void> {
    if (this.#end !== null) return;
    try {
      const handled = await handleOrder(order, this.#parts.desk);
      if (handled.type === 'leave') {
        this.#finish('it stops being active', { leaving: true, next: handled.next });
      }
      if (handled.type === 'stale') this.#finish(`it speaks for the past term ${order.term}`);
      if (handled.type === 'go-on' && !this.#joined) this.#join();
      if (this.#parts.ledger.refusals().length > MOST_REFUSED) {
        this.#finish('it takes no note of what is refused');
      }
    } catch (error) {
      this.#finish(`an order could not be carried out: ${messageOf(error)}`);
    }
  }

  #join(): void {
    this.#joined = true;
    this.#parts.onJoined(this.#parts.ledger.highest);
  }

  #finish(reason: string, more: Partial<Loss> = {}): void {
    this.#end ??= { leaving: false, ...more, reason };
    this.#over.abort();
  }

  #urlOf(path: string): URL {
    return new URL(`${this.#url.replace(/\/$/, '')}${path}`);
  }

  async #post(path: string, body: unknown): Promise<Reply> {
    const { contact, desk } = this.#parts;
    const sentAtMs = desk.nowMs();
    const reply = await callJson({
      method: 'POST',
      url: this.#urlOf(path),
      lines: this.#parts.lines,
      token: this.#parts.config.token,
      body,
      timeoutMs: this.#parts.config.requestTimeoutMs,
      signal: this.#signal,
    });
    // What it can't store for now it has heard nevertheless.
    if (reply.status === 200 || isStoreAway(reply)) contact.proven(sentAtMs);
    return reply;
  }
}

/** A stream that says nothing for so long is lost: three beats, and time for a busy host to be late. */
function silenceLimitMs(beatEveryMs: number): number {
  return Math.max(3 * beatEveryMs, 1_000);
}

function parseOrder(data: string): Order | null {
  try {
    const parsed = orderSchema.safeParse(JSON.parse(data));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}
