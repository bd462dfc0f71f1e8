import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type OrderWire,
  type Register,
  type Report,
  registerSchema,
  reportsSchema,
} from '@understudy/shared/protocol/agent';
import { until } from './until.ts';

export interface FakeOptions {
  readonly node: string;
  readonly term: bigint;
  readonly port?: number;
}

/** The controller's side of the agent protocol, with nothing behind it: for tests of the agent. */
export class FakeController {
  readonly #server: Server;
  readonly #streams = new Set<ServerResponse>();
  readonly #beats: NodeJS.Timeout;
  readonly node: string;
  port = 0;
  readonly registers: Register[] = [];
  readonly reports: Report[] = [];
  term: bigint;
  token = 'secret';
  /** Answers of these routes, when they are not to be the usual ones. */
  registerStatus = 200;
  reportsStatus = 200;
  /** Takes nothing in, as a controller whose store is away. */
  isStoreAway = false;
  /** Batches, and registrations, that were not taken. */
  refusedBatches = 0;
  refusedRegisters = 0;
  /** Acknowledges no more than this of a batch. */
  takesAtMost = Number.POSITIVE_INFINITY;
  /** A batch with a report about this run is invalid. */
  poison = '';
  unwanted: { run: string; attempt: number }[] = [];
  /** How long it waits for an agent that is away, if it says so. */
  lostAfterMs: number | null = null;
  beats = true;
  beatsSent = 0;

  private constructor(options: FakeOptions) {
    this.node = options.node;
    this.term = options.term;
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        response.statusCode = 400;
        response.end(JSON.stringify({ error: { code: 'invalid', message: String(error) } }));
      });
    });
    this.#beats = setInterval(() => {
      if (!this.beats) return;
      this.#push({ type: 'beat', term: String(this.term) });
      this.beatsSent += 1;
    }, 200);
  }

  static async open(options: FakeOptions): Promise<FakeController> {
    const fake = new FakeController(options);
    fake.#server.listen(options.port ?? 0, '127.0.0.1');
    await once(fake.#server, 'listening');
    fake.port = (fake.#server.address() as AddressInfo).port;
    return fake;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get streams(): number {
    return this.#streams.size;
  }

  /** Goes away at once, as a killed process does. */
  async close(): Promise<void> {
    clearInterval(this.#beats);
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  /** Ends the order streams, as a controller that stops does. */
  endStreams(): void {
    for (const stream of this.#streams) stream.end();
  }

  order(order: OrderWire): void {
    this.#push(order);
  }

  /** Sends something as the data of an order, whatever it is. */
  orderRaw(data: string): void {
    for (const stream of this.#streams) stream.write(`data: ${data}\n\n`);
  }

  async untilFollowed(limitMs?: number): Promise<void> {
    await until(() => this.#streams.size > 0, `an agent follows ${this.node}`, limitMs);
  }

  /** Waits for a report of this type about a run. */
  async untilReport<T extends Report['type']>(
    type: T,
    run: string,
  ): Promise<Extract<Report, { type: T }>> {
    const isIt = (report: Report): report is Extract<Report, { type: T }> =>
      report.type === type && report.run === run;
    return await until(() => this.reports.find(isIt), `${this.node} gets a report ${type}`);
  }

  /** The output of a run as the log reports give it, by their offsets, from a byte on. */
  log(run: string, from = 0): string {
    const bytes: Buffer[] = [];
    let length = from;
    for (const report of this.reports) {
      if (report.type !== 'log' || report.run !== run) continue;
      const data = Buffer.from(report.data, 'base64');
      if (report.offset > length) throw new Error(`a gap in the log at ${length}`);
      const fresh = data.subarray(length - report.offset);
      bytes.push(fresh);
      length += fresh.length;
    }
    return Buffer.concat(bytes).toString('utf8');
  }

  #push(order: OrderWire): void {
    for (const stream of this.#streams) write(stream, order);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '/', 'http://fake');
    response.setHeader('Understudy-Term', String(this.term));
    response.setHeader('Understudy-Node', this.node);
    if (request.headers.authorization !== `Bearer ${this.token}`) return answer(response, 401, {});
    if (pathname === '/readyz') return answer(response, 200, {});
    if (pathname === '/agent/v1/orders') return this.#stream(response);
    const body = JSON.parse(await text(request)) as unknown;
    if (pathname === '/agent/v1/register') return this.#register(response, body);
    return this.#takeReports(response, body);
  }

  #register(response: ServerResponse, body: unknown): void {
    if (this.isStoreAway) {
      this.refusedRegisters += 1;
      return answer(response, 503, storeAway);
    }
    if (this.registerStatus !== 200) {
      const error = { code: 'duplicate-agent', message: 'another one holds the id' };
      return answer(response, this.registerStatus, { error });
    }
    this.registers.push(registerSchema.parse(body));
    answer(response, 200, {
      term: String(this.term),
      node: this.node,
      beatEveryMs: 200,
      lostAfterMs: this.lostAfterMs,
      unwanted: this.unwanted,
    });
  }

  #stream(response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    this.#streams.add(response);
    response.on('close', () => this.#streams.delete(response));
    write(response, { type: 'hello', term: String(this.term), node: this.node });
  }

  #takeReports(response: ServerResponse, body: unknown): void {
    const { reports: sent } = reportsSchema.parse(body);
    if (this.isStoreAway && sent.length > 0) {
      this.refusedBatches += 1;
      return answer(response, 503, storeAway);
    }
    const poisoned = sent.some(({ report }) => report.run === this.poison);
    if (this.reportsStatus !== 200 || poisoned) {
      this.refusedBatches += 1;
      return answer(response, poisoned ? 400 : this.reportsStatus, {});
    }
    const reports = sent.slice(0, this.takesAtMost);
    this.reports.push(...reports.map(({ report }) => report));
    answer(response, 200, {
      term: String(this.term),
      acknowledged: reports.at(-1)?.seq ?? 0,
    });
  }
}

const storeAway = { error: { code: 'store-away', message: 'the database is away' } };

function write(stream: ServerResponse, order: OrderWire): void {
  stream.write(`event: ${order.type}\ndata: ${JSON.stringify(order)}\n\n`);
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

async function text(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
