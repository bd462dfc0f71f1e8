import { randomUUID } from 'node:crypto';
import { Agent } from 'node:http';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { formatDurationMs } from '@understudy/shared/kernel/duration';
import { messageOf, UserError } from '@understudy/shared/runtime/errors';
import axios, { type AxiosResponse } from 'axios';
import { askHeartbeat } from './heartbeat-status.ts';

export interface ApiClientOptions {
  /** URLs of controllers that are known beforehand. */
  readonly controllers: readonly string[];
  /** Heartbeats that know where the active controller is. */
  readonly heartbeats: readonly string[];
  readonly token: string;
  /** For so long the active controller is searched and a request repeated. */
  readonly timeoutMs: number;
}

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** From `/api/v1` on, without it. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: unknown;
  /** Default for POST: a fresh one, the same at each try. */
  readonly idempotencyKey?: string;
  /** Answers that are not errors for the caller, by HTTP status. */
  readonly accept?: readonly number[];
}

/** The API of whichever controller is active. */
export interface ApiClient {
  /** Sends a request until it is answered, through a fail-over if need be. Refusals are `UserError`s. */
  request<T>(request: ApiRequest): Promise<T>;
  /** Opens a stream on the active controller. */
  stream(path: string, query: Readonly<Record<string, string>>): Promise<Readable>;
}

/** Time limit of one try, to connect and to answer. */
const TRY_TIMEOUT_MS = 5_000;
const BETWEEN_ROUNDS_MS = 100;
/** Answers of a controller that is not, or no longer, active; another one may be. */
const ELSEWHERE = [408, 421, 425, 502, 503, 504];

/** Makes a client that finds the active controller by asking all of them, and the heartbeats. */
export function makeApiClient(options: ApiClientOptions): ApiClient {
  // A connection of its own for each request: a kept one may lead to a controller that is no longer active.
  const httpAgent = new Agent({ keepAlive: false });
  let lastGood: string | null = null;

  const attempt = (base: string, request: ApiRequest, key: string, stream: boolean) =>
    axios.request<unknown>({
      method: request.method,
      url: `${base}/api/v1${request.path}`,
      params: request.query,
      data: request.body,
      headers: {
        Authorization: `Bearer ${options.token}`,
        ...(request.method === 'POST' ? { 'Idempotency-Key': key } : {}),
      },
      responseType: stream ? 'stream' : 'json',
      httpAgent,
      proxy: false,
      maxRedirects: 0,
      maxContentLength: Number.POSITIVE_INFINITY,
      validateStatus: () => true,
      // A stream lasts as long as it likes once it has begun.
      ...(stream ? { timeout: 0 } : { timeout: TRY_TIMEOUT_MS }),
    });

  const send = async (request: ApiRequest, stream: boolean): Promise<AxiosResponse<unknown>> => {
    const key = request.idempotencyKey ?? randomUUID();
    const deadline = performance.now() + options.timeoutMs;
    const known = new Set(options.controllers);
    let problem = 'no controller is known';
    do {
      const order = lastGood === null ? [...known] : [lastGood, ...known].filter(isFirst);
      for (const base of order) {
        try {
          const answer = await attempt(base, request, key, stream);
          if (!ELSEWHERE.includes(answer.status)) {
            lastGood = base;
            return answer;
          }
          problem = `${base} answers ${answer.status}`;
        } catch (error) {
          problem = `${base}: ${messageOf(error)}`;
        }
      }
      for (const url of await activeControllers(options.heartbeats)) known.add(url);
      await delay(BETWEEN_ROUNDS_MS);
    } while (performance.now() < deadline);
    const limit = formatDurationMs(options.timeoutMs);
    throw new UserError(`no active controller answered within ${limit} (last: ${problem})`);
  };

  return {
    request: async <T>(request: ApiRequest) => {
      const answer = await send(request, false);
      if (isAccepted(answer.status, request)) return answer.data as T;
      throw refusal(answer);
    },
    stream: async (path, query) => {
      const answer = await send({ method: 'GET', path, query }, true);
      const body = answer.data as Readable;
      if (answer.status === 200) return body;
      throw refusal({ ...answer, data: parseJson(await textOf(body)) });
    },
  };
}

async function activeControllers(heartbeats: readonly string[]): Promise<string[]> {
  const answers = await Promise.all(heartbeats.map((url) => askHeartbeat(url, 1_000)));
  const urls = answers.map((each) => (each.kind === 'answered' ? each.status.active?.url : null));
  return urls.filter((url): url is string => typeof url === 'string' && URL.canParse(url));
}

function isAccepted(status: number, request: ApiRequest): boolean {
  return (status >= 200 && status < 300) || (request.accept ?? []).includes(status);
}

function refusal(answer: AxiosResponse<unknown>): UserError {
  const { error } = (answer.data ?? {}) as {
    error?: { code?: string; message?: string; details?: unknown };
  };
  if (error?.message === undefined)
    return new UserError(`the controller answered ${answer.status}`);
  const details = error.details === undefined ? '' : `: ${JSON.stringify(error.details)}`;
  return new UserError(`${error.message} (${error.code ?? answer.status})${details}`);
}

async function textOf(body: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function isFirst<T>(value: T, index: number, all: readonly T[]): boolean {
  return all.indexOf(value) === index;
}
