import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { HttpAction } from '@understudy/shared/protocol/action';
import { messageOf } from '@understudy/shared/runtime/errors';
import { isExpected } from '../attempt/expected.ts';
import { fillIn } from '../attempt/fill-in.ts';
import type { Hosted } from './current.ts';
import type { HostedEnd, HostedStart } from './link.ts';

type CallEnd = Omit<HostedEnd, 'bytes'>;

/** Before a single byte of the request could leave. */
const NOTHING_SENT = new Set([
  ...['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL'],
  ...['ERR_INVALID_URL', 'ERR_INVALID_CHAR', 'ERR_INVALID_HTTP_TOKEN', 'ERR_UNESCAPED_CHARACTERS'],
]);

/**
 * Makes the request of an attempt and judges the answer by its status. The output is the status line and
 * the body. Redirections are not followed: their codes can be expected.
 */
export async function callHttp(
  action: HttpAction,
  start: HostedStart,
  { log, abort }: Hosted,
): Promise<CallEnd> {
  const filled = fillRequest(action, start);
  if (filled.type === 'missing') return notStarted(`there is no value for ${filled.name}`);
  try {
    const response = await send(filled.request, abort.signal);
    const status = response.statusCode ?? 0;
    const line = `${status} ${response.statusMessage ?? ''}`.trim();
    log.write(`HTTP/${response.httpVersion} ${line}\n`);
    for await (const chunk of response as AsyncIterable<Buffer>) log.write(chunk);
    if (isExpected(status, action.expect)) return { outcome: 'exited', exitCode: 0, reason: null };
    return failed(`answered ${line}; expected ${action.expect.join(', ')}`);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    const reason = messageOf(error) || code;
    return NOTHING_SENT.has(code) ? notStarted(reason) : failed(reason);
  }
}

interface Request {
  readonly url: string;
  readonly options: RequestOptions;
  readonly body: string | null;
}

type FilledRequest =
  | { readonly type: 'filled'; readonly request: Request }
  | { readonly type: 'missing'; readonly name: string };

function fillRequest(action: HttpAction, start: HostedStart): FilledRequest {
  const missing: string[] = [];
  const fill = (text: string, encode?: (value: string) => string): string => {
    const filled = fillIn(text, start.env, encode);
    if (filled.type === 'filled') return filled.text;
    missing.push(filled.name);
    return '';
  };
  const url = fill(action.url, encodeURIComponent);
  const body = action.body === null ? null : fill(action.body);
  const headers = {
    ...ownHeaders(start, body),
    ...Object.fromEntries(
      Object.entries(action.headers).map(([name, text]) => [name.toLowerCase(), fill(text)]),
    ),
  };
  const [name] = missing;
  if (name !== undefined) return { type: 'missing', name };
  return { type: 'filled', request: { url, options: { method: action.method, headers }, body } };
}

/** By these a receiver can tell a request that is made again, and one of an old term. */
function ownHeaders(start: HostedStart, body: string | null): Record<string, string> {
  const { run, job, attempt, term, scheduledFor } = start;
  return {
    'user-agent': 'understudy-agent',
    'understudy-run': run,
    'understudy-job': job,
    'understudy-attempt': String(attempt),
    'understudy-term': term,
    ...(scheduledFor === null ? {} : { 'understudy-scheduled-for': scheduledFor }),
    ...(body === null ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
  };
}

function send({ url, options, body }: Request, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const make = url.startsWith('https:') ? httpsRequest : httpRequest;
    const request = make(url, { ...options, signal, agent: false }, resolve);
    request.on('error', reject);
    request.end(body ?? undefined);
  });
}

function notStarted(reason: string): CallEnd {
  return { outcome: 'not-started', exitCode: null, reason: `nothing was sent: ${reason}` };
}

function failed(reason: string): CallEnd {
  return { outcome: 'exited', exitCode: 1, reason };
}
