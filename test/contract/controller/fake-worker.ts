import { randomUUID } from 'node:crypto';
import {
  type OrderWire,
  type RegisterWire,
  type Report,
  workerAbilities,
} from '@understudy/shared/protocol/agent';
import { createParser } from 'eventsource-parser';
import type { Answer, Bench } from './bench.ts';
import { TOKEN } from './bench.ts';

/** The worker's side of the protocol, with nothing behind it. */
export class FakeWorker {
  #bench: Bench;
  readonly #name: string;
  readonly #orders: OrderWire[] = [];
  readonly #incarnation = randomUUID();
  readonly #journal = randomUUID();
  #stream = new AbortController();
  #seq = 0;
  #arrived: () => void = () => undefined;

  constructor(bench: Bench, name = 'w1') {
    this.#bench = bench;
    this.#name = name;
  }

  /** Forgets what has come so far. */
  forget(): void {
    this.#orders.length = 0;
  }

  register(highestTerm = '0', more: Partial<RegisterWire> = {}): Promise<Answer> {
    return this.#bench.ask('POST', '/agent/v1/register', {
      ...{ agent: this.#name, incarnation: this.#incarnation, version: '1', labels: {}, slots: 4 },
      ...{
        highestTerm,
        attempts: [],
        journal: this.#journal,
        abilities: [...workerAbilities],
        ...more,
      },
    });
  }

  /** Registers and opens the stream of orders. */
  async join(more: Partial<RegisterWire> = {}): Promise<void> {
    await this.register('0', more);
    const response = await this.ask(String(more.session ?? 0));
    void this.#read(response).catch(() => undefined);
    await this.order('hello');
  }

  /** Goes to another controller, and says what it runs. */
  async moveTo(bench: Bench, attempts: RegisterWire['attempts']): Promise<void> {
    this.#stream.abort();
    this.#stream = new AbortController();
    this.#bench = bench;
    this.forget();
    await this.join({ attempts });
  }

  /** Asks for the stream of orders of a session. */
  ask(session: string): Promise<Response> {
    const who = `agent=${this.#name}&incarnation=${this.#incarnation}&session=${session}`;
    return fetch(`${this.#bench.url}/agent/v1/orders?${who}`, {
      headers: { authorization: `Bearer ${TOKEN}` },
      signal: this.#stream.signal,
    });
  }

  /** Waits for an order of a type, and takes it. */
  async order<T extends OrderWire['type']>(type: T): Promise<Extract<OrderWire, { type: T }>> {
    for (;;) {
      const at = this.#orders.findIndex((order) => order.type === type);
      const [found] = at < 0 ? [] : this.#orders.splice(at, 1);
      if (found !== undefined) return found as Extract<OrderWire, { type: T }>;
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
      });
    }
  }

  report(...reports: readonly Report[]): Promise<Answer> {
    return this.#bench.ask('POST', '/agent/v1/reports', {
      ...{ agent: this.#name, incarnation: this.#incarnation, highestTerm: '0' },
      reports: reports.map((report) => {
        this.#seq += 1;
        return { seq: this.#seq, report };
      }),
    });
  }

  leave(): void {
    this.#stream.abort();
  }

  async #read(response: Response): Promise<void> {
    const parser = createParser({
      onEvent: ({ data }) => {
        this.#orders.push(JSON.parse(data) as OrderWire);
        this.#arrived();
      },
    });
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      parser.feed(decoder.decode(chunk as Uint8Array, { stream: true }));
    }
  }
}
