import { randomUUID } from 'node:crypto';
import type { Target } from '@understudy/agent/follow/choose';
import { askControllers } from '@understudy/agent/supervise/ask';
import { Follower } from '@understudy/agent/supervise/follower';
import { formatTerm, type Term } from '@understudy/shared/kernel/term';
import { orderSchema, registeredSchema } from '@understudy/shared/protocol/agent';
import { systemClock } from '@understudy/shared/runtime/clock';
import { silentLog } from '@understudy/shared/runtime/log';
import { timeLimit } from '@understudy/shared/runtime/time-limit';
import { createParser } from 'eventsource-parser';

export interface FakeAgentOptions {
  readonly name: string;
  readonly controllers: readonly string[];
  readonly token: string;
  readonly retry: { readonly everyMs: number; readonly timeoutMs: number; readonly limit: number };
}

/** As a worker with nothing to report has it. */
const SIGN_OF_LIFE_MS = 2_000;

/**
 * An agent with nothing to run, hundreds of which fit into one process: it looks for its controller exactly as
 * the product does, by the same code, then registers, holds its order stream and gives its signs of life.
 */
export class FakeAgent {
  readonly #options: FakeAgentOptions;
  readonly #follower: Follower;
  readonly #over = new AbortController();
  readonly #incarnation = randomUUID();
  readonly #journal = randomUUID();
  #session = 0;
  #highest: Term = 0n;
  /** Whom it follows now, and since when (monotonic nanoseconds); null while it looks for one. */
  joined: { readonly node: string; readonly at: bigint } | null = null;
  hasGivenUp = false;

  constructor(options: FakeAgentOptions) {
    this.#options = options;
    const { controllers, token, retry } = options;
    this.#follower = new Follower({
      ...{ everyMs: retry.everyMs, limit: retry.limit, highest: 0n, log: silentLog },
      ...{ clock: systemClock, random: Math.random },
      ask: (about, signal) =>
        askControllers({ controllers, token, timeoutMs: retry.timeoutMs, ...about, signal }),
      follow: (target) => void this.#stay(target),
      giveUp: () => {
        this.hasGivenUp = true;
      },
    });
    this.#follower.start();
  }

  stop(): void {
    this.#over.abort();
    this.#follower.close();
  }

  async #stay({ url, node }: Target): Promise<void> {
    const left = new AbortController();
    const signal = AbortSignal.any([this.#over.signal, left.signal]);
    let next: string | null = null;
    let leaving = false;
    let reason = 'the order stream was closed';
    let deaf: NodeJS.Timeout | undefined;
    const signs = setInterval(() => void this.#report(url, signal), SIGN_OF_LIFE_MS);
    try {
      this.#session += 1;
      const beatEveryMs = await this.#register(url, signal);
      const response = await this.#orders(url, signal);
      const watch = setTimeout(() => left.abort(), Math.max(3 * beatEveryMs, 1_000));
      deaf = watch;
      const parser = createParser({
        onEvent: ({ data }) => {
          const order = orderSchema.parse(JSON.parse(data));
          if (order.type === 'hello') this.#join(node, order.term);
          if (order.type === 'leave') [leaving, next] = [true, order.next];
        },
      });
      const decoder = new TextDecoder();
      for await (const chunk of response.body ?? []) {
        watch.refresh();
        parser.feed(decoder.decode(chunk as Uint8Array, { stream: true }));
      }
    } catch (error) {
      reason = String(error);
    }
    clearInterval(signs);
    clearTimeout(deaf);
    this.joined = null;
    this.#follower.lost({ reason, leaving, next });
  }

  #join(node: string, term: Term): void {
    this.#highest = term;
    this.joined = { node, at: process.hrtime.bigint() };
    this.#follower.joined(term);
  }

  async #register(url: string, signal: AbortSignal): Promise<number> {
    const { name } = this.#options;
    const response = await this.#post(url, '/agent/v1/register', signal, {
      ...{ agent: name, incarnation: this.#incarnation, version: '1', labels: {}, slots: 0 },
      ...{ highestTerm: formatTerm(this.#highest), journal: this.#journal, session: this.#session },
      attempts: [],
    });
    const body: unknown = await response.json();
    if (!response.ok) throw new Error(`registration: ${response.status} ${JSON.stringify(body)}`);
    return registeredSchema.parse(body).beatEveryMs;
  }

  async #orders(url: string, signal: AbortSignal): Promise<Response> {
    const { name, token } = this.#options;
    const who = `agent=${name}&incarnation=${this.#incarnation}&session=${this.#session}`;
    const headers = { authorization: `Bearer ${token}` };
    const response = await fetch(`${url}/agent/v1/orders?${who}`, { headers, signal });
    if (!response.ok) throw new Error(`order stream: ${response.status}`);
    return response;
  }

  async #report(url: string, signal: AbortSignal): Promise<void> {
    const { name } = this.#options;
    try {
      const response = await this.#post(url, '/agent/v1/reports', signal, {
        ...{ agent: name, incarnation: this.#incarnation, highestTerm: formatTerm(this.#highest) },
        reports: [],
      });
      await response.body?.cancel();
    } catch {
      // The end of the order stream tells.
    }
  }

  #post(url: string, path: string, signal: AbortSignal, body: unknown): Promise<Response> {
    const { token, retry } = this.#options;
    return fetch(url + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: timeLimit(Math.max(5_000, retry.timeoutMs), signal).signal,
    });
  }
}
