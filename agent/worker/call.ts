import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { type ClientCredentials, NodeAgent } from '@understudy/shared/runtime/tls/connect';

/** How a worker reaches its controllers. */
export interface Lines {
  readonly request: typeof httpRequest;
  /** Kept connections, so that a report costs no handshake. */
  readonly kept: HttpAgent;
}

/** Over TLS where there are credentials, else plain. */
export function makeLines(pair: string, credentials: ClientCredentials | null): Lines {
  const keeping = { keepAlive: true, maxSockets: 4 };
  if (credentials === null) {
    return { request: httpRequest, kept: new HttpAgent(keeping) };
  }
  return { request: httpsRequest, kept: new NodeAgent({ ...keeping, pair, credentials }) };
}

export interface Call {
  readonly method: 'GET' | 'POST';
  readonly url: URL;
  readonly lines: Lines;
  readonly token: string;
  readonly body?: unknown;
  /** Until the answer's headers, and for `callJson` its body, are here. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface Reply {
  readonly status: number;
  readonly body: unknown;
}

/** Sends a request and reads its JSON answer. Throws when there is no answer in time. */
export async function callJson(call: Call): Promise<Reply> {
  const { signal, timeoutMs } = call;
  // One signal that is ours: of signals that are combined, those that live long keep something of each call.
  const cut = new AbortController();
  const end = (): void => cut.abort(signal.reason);
  let isLate = false;
  const limit = setTimeout(() => {
    isLate = true;
    cut.abort();
  }, timeoutMs);
  signal.addEventListener('abort', end);
  if (signal.aborted) end();
  try {
    const response = await open({ ...call, signal: cut.signal });
    return { status: response.statusCode ?? 0, body: parse(await readAll(response)) };
  } catch (error) {
    throw isLate ? new Error(`no answer within ${timeoutMs} ms`) : error;
  } finally {
    clearTimeout(limit);
    signal.removeEventListener('abort', end);
  }
}

/**
 * Opens a long answer, on the connection of the last short one if that is free: whoever registers and asks for its
 * orders then opens one connection, and a thousand that come at once half as many. Throws when its headers do not
 * come in time.
 */
export async function callStream(call: Call): Promise<IncomingMessage> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), call.timeoutMs);
  try {
    return await open({ ...call, signal: AbortSignal.any([call.signal, late.signal]) });
  } catch (error) {
    if (late.signal.aborted) throw new Error(`no answer within ${call.timeoutMs} ms`);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function open(call: Call): Promise<IncomingMessage> {
  const body = call.body === undefined ? null : Buffer.from(JSON.stringify(call.body));
  return new Promise((resolve, reject) => {
    const request = call.lines.request(
      call.url,
      {
        method: call.method,
        agent: call.lines.kept,
        signal: call.signal,
        headers: {
          authorization: `Bearer ${call.token}`,
          ...(body === null
            ? {}
            : { 'content-type': 'application/json', 'content-length': body.length }),
        },
      },
      resolve,
    );
    request.on('error', reject);
    request.end(body ?? undefined);
  });
}

/** More than any answer of a controller; memory stays bounded whoever answers. */
const MOST_BYTES = 16 * 1024 * 1024;

async function readAll(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MOST_BYTES) throw new Error(`an answer of more than ${MOST_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Whether a controller says that it can take nothing in for the moment, though it is the active one. */
export function isStoreAway({ status, body }: Reply): boolean {
  return status === 503 && errorOf(body)?.code === 'store-away';
}

/** What an answer that is not 2xx says, for logs. */
export function describeReply(reply: Reply): string {
  const error = errorOf(reply.body);
  const said = [error?.code, error?.message].filter((part) => typeof part === 'string').join(': ');
  const what = String(error?.code).includes('certificate') ? 'certificate' : 'token';
  const isRefusal = reply.status === 401 || reply.status === 403;
  const words = isRefusal ? `refuses our ${what}` : 'answered no';
  return `${words} (${reply.status}${said === '' ? '' : ` ${said}`})`;
}

function errorOf(body: unknown): { code?: unknown; message?: unknown } | undefined {
  return (body as { error?: { code?: unknown; message?: unknown } } | null)?.error;
}
