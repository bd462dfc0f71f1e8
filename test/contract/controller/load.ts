import { randomUUID } from 'node:crypto';
import { Agent, request as send } from 'node:http';
import type { Run } from '@understudy/shared/protocol/api';
import { TOKEN } from './bench.ts';

/** What one request came to. */
export interface Outcome {
  readonly what: string;
  /** HTTP status; 0: no answer. */
  readonly status: number;
  readonly error: string | null;
  /** When it was sent, monotonic milliseconds. */
  readonly sentAt: number;
  readonly tookMs: number;
  readonly node: string;
  readonly body: string;
}

interface Kind {
  readonly what: string;
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly key?: () => string;
}

/** Everything that users do, with keys and without. */
const kinds: readonly Kind[] = [
  { what: 'pair', method: 'GET', path: '/api/v1/pair' },
  { what: 'run', method: 'POST', path: '/api/v1/jobs/j/runs', body: {} },
  { what: 'runs', method: 'GET', path: '/api/v1/runs?limit=5' },
  { what: 'keyed', method: 'POST', path: '/api/v1/jobs/j/runs', body: {}, key: randomUUID },
  { what: 'job', method: 'PUT', path: '/api/v1/jobs/k', body: { command: ['true'] } },
  { what: 'jobs', method: 'GET', path: '/api/v1/jobs' },
];

/** Sends requests at a rate, half of them on kept connections, until it is stopped. */
export class Load {
  readonly #urls: string[];
  readonly #outcomes: Promise<Outcome>[] = [];
  readonly #kept = new Agent({ keepAlive: true });
  readonly #timer: NodeJS.Timeout;
  #count = 0;

  constructor(urls: readonly string[], perSecond: number) {
    this.#urls = [...urls];
    const startedAt = performance.now();
    this.#timer = setInterval(() => {
      const due = ((performance.now() - startedAt) / 1_000) * perSecond;
      while (this.#count < due) this.#send();
    }, 5);
  }

  /** One more address, which half of what follows goes to. */
  add(url: string): void {
    this.#urls.push(url);
  }

  get sent(): number {
    return this.#count;
  }

  async stop(): Promise<Outcome[]> {
    clearInterval(this.#timer);
    const outcomes = await Promise.all(this.#outcomes);
    this.#kept.destroy();
    return outcomes;
  }

  #send(): void {
    const count = this.#count++;
    const kind = kinds[count % kinds.length];
    const url = this.#urls[Math.floor(count / kinds.length) % this.#urls.length];
    if (kind === undefined || url === undefined) return;
    const isKept = Math.floor(count / 2) % 2 === 0;
    this.#outcomes.push(ask(`${url}${kind.path}`, kind, isKept ? this.#kept : false));
  }
}

/** How long the longest took, milliseconds. */
export function longestMs(outcomes: readonly Outcome[]): number {
  return outcomes.reduce((most, { tookMs }) => Math.max(most, tookMs), 0);
}

/** The ids of runs that were made by some outcomes. */
export function runsOf(outcomes: readonly Outcome[]): string[] {
  return outcomes
    .filter(({ what, status }) => (what === 'run' || what === 'keyed') && status === 201)
    .map(({ body }) => (JSON.parse(body) as Run).id);
}

function ask(url: string, kind: Kind, agent: Agent | false): Promise<Outcome> {
  const sentAt = performance.now();
  const { what, method } = kind;
  const payload = kind.body === undefined ? null : JSON.stringify(kind.body);
  return new Promise((resolve) => {
    const over = (status: number, error: string | null, node = '', body = '') => {
      resolve({ what, status, error, sentAt, tookMs: performance.now() - sentAt, node, body });
    };
    const headers = {
      authorization: `Bearer ${TOKEN}`,
      ...(payload === null
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
      ...(kind.key === undefined ? {} : { 'idempotency-key': kind.key() }),
    };
    const request = send(url, { method, agent, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', (error) => over(0, error.message));
      response.on('end', () => {
        const node = String(response.headers['understudy-node']);
        over(response.statusCode ?? 0, null, node, Buffer.concat(chunks).toString('utf8'));
      });
    });
    request.on('error', (error) => over(0, error.message));
    request.end(payload ?? undefined);
  });
}
