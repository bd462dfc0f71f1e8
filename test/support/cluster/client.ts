import type { JobInput, Run } from '@understudy/shared/protocol/api';
import { openHistory } from '../history.ts';
import type { Served } from '../invariants/service.ts';
import { eventually } from './eventually.ts';
import { fetchFrom, type WebAnswer } from './web.ts';

export interface ClientOptions {
  readonly urls: readonly string[];
  readonly token: string;
  /** Where every answer is recorded. */
  readonly history: string;
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly served: Served | null;
}

const TRY_WITHIN_MS = 2_000;

/** A user of the pair: asks whichever controller answers, repeats safely, and records every answer. */
export class Client {
  readonly #options: ClientOptions;
  readonly #history;
  /** Successful answers, in the order in which they arrived. */
  readonly answers: Served[] = [];
  /** Runs whose creation was answered 2xx. */
  readonly acknowledged: string[] = [];

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#history = openHistory<Served & { request: string }>(options.history);
  }

  /** One request to one controller. Null when there was no answer. */
  async ask(
    url: string,
    method: string,
    path: string,
    extra: { readonly body?: unknown; readonly headers?: Record<string, string> } = {},
  ): Promise<Answer | null> {
    const sentAt = process.hrtime.bigint();
    try {
      const response = await fetchFrom(`${url}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${this.#options.token}`,
          'content-type': 'application/json',
          connection: 'close',
          ...extra.headers,
        },
        signal: AbortSignal.timeout(TRY_WITHIN_MS),
        ...(extra.body === undefined ? {} : { body: JSON.stringify(extra.body) }),
      });
      const { text, status } = response;
      const served =
        status >= 200 && status < 300 ? this.#record(response, sentAt, `${method} ${path}`) : null;
      return { status, body: parse(text), served };
    } catch {
      return null;
    }
  }

  /** Asks one controller after the other until one answers 2xx; a 4xx is an error. */
  async request(
    method: string,
    path: string,
    extra: { readonly body?: unknown; readonly headers?: Record<string, string> } = {},
  ): Promise<unknown> {
    const answer = await eventually(
      async () => {
        for (const url of this.#options.urls) {
          const answer = await this.ask(url, method, path, extra);
          if (answer !== null && answer.status < 500) return answer;
        }
        return null;
      },
      { what: `an answer to ${method} ${path}` },
    );
    if (answer.status >= 300) {
      throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    }
    return answer.body;
  }

  async putJob(job: JobInput): Promise<void> {
    await this.request('PUT', `/api/v1/jobs/${job.name}`, { body: job });
  }

  /** Submits a run, with a key that makes repeating it safe. */
  async submit(job: string, key: string, parameters: Record<string, string> = {}): Promise<Run> {
    const run = (await this.request('POST', `/api/v1/jobs/${job}/runs`, {
      body: { parameters },
      headers: { 'idempotency-key': key },
    })) as Run;
    this.acknowledged.push(run.id);
    return run;
  }

  async run(id: string): Promise<Run> {
    return (await this.request('GET', `/api/v1/runs/${id}`)) as Run;
  }

  close(): void {
    this.#history.close();
  }

  #record(response: WebAnswer, sentAt: bigint, request: string): Served | null {
    const node = response.headers.get('understudy-node');
    const term = response.headers.get('understudy-term');
    if (node === null || term === null) return null;
    const served = { node, term: BigInt(term), sentAt, receivedAt: process.hrtime.bigint() };
    this.answers.push(served);
    this.#history.record({ ...served, request });
    return served;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
