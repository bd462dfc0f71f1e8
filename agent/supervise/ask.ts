import { setTimeout as pause } from 'node:timers/promises';
import { parseTerm, type Term } from '@understudy/shared/kernel/term';
import { messageOf } from '@understudy/shared/runtime/errors';
import { timeLimit } from '@understudy/shared/runtime/time-limit';
import type { NodeAgent } from '@understudy/shared/runtime/tls/connect';
import axios from 'axios';
import type { Answer } from '../follow/choose.ts';

export interface AskOptions {
  readonly controllers: readonly string[];
  readonly token: string;
  readonly timeoutMs: number;
  /** Ask again and again until the time is over or a higher term than this is served. */
  readonly beyond: Term | null;
  /** Where that one is expected; it need not be among the controllers. */
  readonly next: string | null;
  readonly signal: AbortSignal;
  /** How controllers prove who they are, and we to them; absent: plain HTTP. */
  readonly secure?: NodeAgent | undefined;
}

/** When one controller is ready, the others get so long to say that they are, too. */
const othersMs = 100;

/** Between two questions to a controller that is expected any moment. */
const insistEveryMs = 25;
/** The same, of a controller that was named to us: it opens its port in this moment. */
const insistOnNextEveryMs = 5;

/**
 * Asks all controllers at once whether they may serve. Answers come back when all are in; when one is
 * ready, those that are still silent a moment later are not waited for: a dead host must not delay the
 * way to the living one.
 */
export async function askControllers(options: AskOptions): Promise<Answer[]> {
  const enough = new AbortController();
  const signal = AbortSignal.any([options.signal, enough.signal]);
  const { controllers, next } = options;
  const all = next === null || controllers.includes(next) ? controllers : [next, ...controllers];
  const asked = all.map(async (url) => {
    if (options.beyond === null) {
      const answer = await askOnce(url, { ...options, signal });
      if (answer.type === 'ready') setTimeout(() => enough.abort(), othersMs).unref();
      return answer;
    }
    const answer = await askInsistently(url, options.beyond, { ...options, signal });
    if (isBeyond(answer, options.beyond)) enough.abort();
    return answer;
  });
  return await Promise.all(asked);
}

/** The controller that is leaving may still call itself ready: it counts only when the time is over. */
async function askInsistently(url: string, beyond: Term, options: AskOptions): Promise<Answer> {
  const deadline = AbortSignal.timeout(options.timeoutMs);
  for (;;) {
    const answer = await askOnce(url, options);
    if (isBeyond(answer, beyond) || deadline.aborted || options.signal.aborted) return answer;
    await pause(url === options.next ? insistOnNextEveryMs : insistEveryMs);
  }
}

function isBeyond(answer: Answer, beyond: Term): boolean {
  return answer.type === 'ready' && answer.target.term > beyond;
}

/** Asks one controller. */
export async function askOnce(
  url: string,
  options: Omit<AskOptions, 'controllers' | 'beyond' | 'next'>,
): Promise<Answer> {
  if (options.secure !== undefined && !url.startsWith('https://')) {
    return { type: 'silent', url, reason: 'not asked: its URL is not https, and tls is set' };
  }
  // A time limit of axios does not cover the connection; this one covers all of it.
  const limit = timeLimit(options.timeoutMs, options.signal);
  try {
    const response = await axios.get<unknown>(`${url.replace(/\/$/, '')}/readyz`, {
      headers: { authorization: `Bearer ${options.token}` },
      signal: limit.signal,
      validateStatus: () => true,
      ...(options.secure === undefined ? {} : { httpsAgent: options.secure }),
      proxy: false,
      maxRedirects: 0,
      maxContentLength: 64 * 1024,
      responseType: 'text',
    });
    if (response.status === 200) return ready(url, response.headers);
    const reason = describeStatus(response.status, response.data);
    return { type: 'not-ready', url, reason };
  } catch (error) {
    if (options.signal.aborted) return { type: 'silent', url, reason: 'not waited for' };
    if (limit.signal.aborted) {
      return { type: 'silent', url, reason: `no answer within ${options.timeoutMs} ms` };
    }
    return { type: 'silent', url, reason: messageOf(error) };
  } finally {
    limit.end();
  }
}

function ready(url: string, headers: Readonly<Record<string, unknown>>): Answer {
  const term = parseTerm(String(headers['understudy-term'] ?? ''));
  if (term === null) return { type: 'not-ready', url, reason: 'ready, but without a term' };
  const node = String(headers['understudy-node'] ?? url);
  return { type: 'ready', target: { url, node, term } };
}

function describeStatus(status: number, body: unknown): string {
  if (status === 401 || status === 403) return `refuses our token (${status})`;
  if (status === 503) return 'not active (503)';
  // As a port that speaks TLS says to whoever does not.
  return status === 400 ? `answered 400: ${String(body).slice(0, 200)}` : `answered ${status}`;
}
