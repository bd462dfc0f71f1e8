import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type {
  OrderWire,
  RegisteredWire,
  RegisterWire,
  Report,
} from '@understudy/shared/protocol/agent';
import { HttpConnection, type StreamListener } from '../http-connection.ts';

export interface SimulatedAgentOptions {
  readonly name: string;
  readonly ports: readonly number[];
  readonly token: string;
  readonly slots: number;
  /** The order of an attempt has come. */
  readonly onStart: (run: string) => void;
  readonly onJoined: (term: string) => void;
}

/** As the real agent's `retry.every`, and its worker's habits. */
const ROUND_MS = 500;
const INSIST_MS = 25;
const INSIST_FOR_MS = 1_000;
const ASK_TIMEOUT_MS = 1_000;
/** Of a worker that was not told how often. */
const SIGN_OF_LIFE_MS = 2_000;
const MOST_REPORTS = 1_000;
const RETRY_MS = 100;

/**
 * An agent that speaks the real protocol and ends each attempt the moment its order comes: what is left is
 * the controller's cost, and the store's. It keeps nothing on disk.
 */
export class SimulatedAgent {
  readonly #options: SimulatedAgentOptions;
  readonly #incarnation = randomUUID();
  readonly #journal = randomUUID();
  readonly #waiting: Report[] = [];
  #session = 0;
  #signEveryMs = SIGN_OF_LIFE_MS;
  #seq = 0;
  #highest = 0n;
  #isStopped = false;
  #wake: () => void = () => undefined;

  constructor(options: SimulatedAgentOptions) {
    this.#options = options;
  }

  /** Follows whichever controller is active, until it is stopped. */
  async run(): Promise<void> {
    let isSentAway = false;
    while (!this.#isStopped) {
      const found = isSentAway ? await this.#insist() : await this.#ask();
      isSentAway = false;
      if (found === null) {
        await delay(ROUND_MS * (1 - 0.2 * Math.random()));
        continue;
      }
      try {
        isSentAway = await this.#stay(found);
      } catch {
        await delay(ROUND_MS * (1 - 0.2 * Math.random()));
      }
    }
  }

  stop(): void {
    this.#isStopped = true;
    this.#wake();
  }

  /** The controller that sent us away named a next one: it is there any moment. */
  async #insist(): Promise<number | null> {
    const until = performance.now() + INSIST_FOR_MS;
    const leaving = this.#highest;
    while (performance.now() < until && !this.#isStopped) {
      const found = await this.#ask(leaving);
      if (found !== null) return found;
      await delay(INSIST_MS);
    }
    return null;
  }

  /** The port of the controller that serves the highest term. */
  async #ask(above = -1n): Promise<number | null> {
    const answers = await Promise.all(this.#options.ports.map(askReady));
    const best = answers
      .filter((each) => each !== null)
      .filter(({ term }) => term >= this.#highest && term > above)
      .toSorted((a, b) => (a.term < b.term ? 1 : -1))[0];
    return best?.port ?? null;
  }

  /**
   * Stays with a controller until it is lost; whether it sent us away. It registers and hears its orders on one
   * connection and reports on another, as the real worker does.
   */
  async #stay(port: number): Promise<boolean> {
    const { name, token } = this.#options;
    const [orders, reports] = [new HttpConnection(port, token), new HttpConnection(port, token)];
    const over = { isOver: false, isSentAway: false };
    try {
      this.#session += 1;
      const body = JSON.stringify(this.#registration());
      const registered = await orders.request({ method: 'POST', path: '/agent/v1/register', body });
      if (registered.status !== 200) throw new Error(`registration: ${registered.status}`);
      const { idleSignEveryMs } = JSON.parse(registered.body) as RegisteredWire;
      this.#signEveryMs = idleSignEveryMs ?? SIGN_OF_LIFE_MS;
      const who = `agent=${name}&incarnation=${this.#incarnation}&session=${this.#session}`;
      const stream = await orders.listen(`/agent/v1/orders?${who}`, this.#listener(over));
      if (stream.status !== 200) throw new Error(`order stream: ${stream.status}`);
      await this.#report(reports, over);
      return over.isSentAway;
    } finally {
      orders.close();
      reports.close();
    }
  }

  #listener(over: { isOver: boolean; isSentAway: boolean }): StreamListener {
    let text = '';
    return {
      onText: (more) => {
        text += more;
        let from = 0;
        for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n', from)) {
          this.#take(text.slice(from, end), over);
          from = end + 2;
        }
        text = text.slice(from);
      },
      // However it ends, the controller is lost.
      onEnd: () => {
        over.isOver = true;
        this.#wake();
      },
    };
  }

  #registration(): RegisterWire {
    const { name, slots } = this.#options;
    const ends = this.#waiting.filter(({ type }) => type === 'ended');
    return {
      agent: name,
      incarnation: this.#incarnation,
      version: 'simulated',
      labels: {},
      slots,
      highestTerm: `${this.#highest}`,
      journal: this.#journal,
      session: this.#session,
      attempts: ends.map(({ run, attempt }) => ({ run, attempt, state: 'ended' })),
    };
  }

  #take(event: string, over: { isSentAway: boolean }): void {
    if (event.startsWith('event: beat\n')) return;
    const order = JSON.parse(event.slice(event.indexOf('\ndata: ') + 7)) as OrderWire;
    if (order.type === 'hello') {
      this.#highest = BigInt(order.term);
      this.#options.onJoined(order.term);
    }
    if (order.type === 'leave') over.isSentAway = true;
    if (order.type !== 'start') return;
    const { run, attempt } = order;
    this.#options.onStart(run);
    const facts = { exitCode: 0, signal: null, reason: null, logBytes: 0 };
    this.#waiting.push(
      { type: 'started', run, attempt, agoMs: 0, pid: 1 },
      { type: 'ended', run, attempt, agoMs: 0, outcome: 'exited', ...facts },
    );
    this.#wake();
  }

  /** One batch at a time, each after the answer to the one before, as the real worker does. */
  async #report(connection: HttpConnection, over: { readonly isOver: boolean }): Promise<void> {
    const who = { agent: this.#options.name, incarnation: this.#incarnation };
    while (!over.isOver && !this.#isStopped) {
      if (this.#waiting.length === 0) await this.#untilNews();
      if (over.isOver || this.#isStopped) return;
      const batch = this.#waiting.slice(0, MOST_REPORTS);
      const reports = batch.map((report, index) => ({ seq: this.#seq + 1 + index, report }));
      const body = JSON.stringify({ ...who, highestTerm: `${this.#highest}`, reports });
      const answer = await connection.request({ method: 'POST', path: '/agent/v1/reports', body });
      if (answer.status === 200) {
        this.#seq += batch.length;
        this.#waiting.splice(0, batch.length);
      } else if (answer.status === 503) {
        await delay(RETRY_MS);
      } else {
        throw new Error(`reports: ${answer.status} ${answer.body}`);
      }
    }
  }

  #untilNews(): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(limit);
        this.#wake = () => undefined;
        // What happens in the same moment travels together.
        setImmediate(resolve);
      };
      const limit = setTimeout(done, this.#signEveryMs);
      this.#wake = done;
    });
  }
}

/** Asked by many at once, again and again while nobody serves: it must cost the client little. */
async function askReady(port: number): Promise<{ port: number; term: bigint } | null> {
  const connection = new HttpConnection(port, '');
  const limit = setTimeout(() => connection.close(), ASK_TIMEOUT_MS);
  try {
    const { status, headers } = await connection.request({ method: 'GET', path: '/readyz' });
    const term = /\r\nunderstudy-term: (\d+)/i.exec(headers)?.[1];
    return status === 200 && term !== undefined ? { port, term: BigInt(term) } : null;
  } catch {
    return null;
  } finally {
    clearTimeout(limit);
    connection.close();
  }
}
