/**
 * What is asked all the time, answered before the application and without its cost: heartbeats and agents ask
 * whether this controller is ready, and workers with nothing to report say that they live. Only the good
 * answer is given here, and under the same conditions; whatever else there is to say, the application says.
 */
import type { IncomingMessage, RequestListener } from 'node:http';
import { formatTerm } from '@understudy/shared/kernel/term';
import { type Reports, reportsSchema } from '@understudy/shared/protocol/agent';
import { mayBe, mayDo } from '../security/roles.ts';
import { tokenIn } from './admission.ts';
import type { AppParts } from './app.ts';
import { readAhead } from './read-ahead.ts';

export type FrequentParts = Pick<
  AppParts,
  'context' | 'problems' | 'callers' | 'agentDoubt' | 'gate' | 'agents'
>;

const REPORTS_PATH = '/agent/v1/reports';
/** A sign of life is no longer than this. */
const MOST_BYTES = 512;

/** Answers what is asked all the time, and leaves the rest to the application. */
export function answerFrequent(parts: FrequentParts, answer: RequestListener): RequestListener {
  const { guard, node, term } = parts.context;
  const ready = jsonAnswer({ term: formatTerm(term), node });
  const heard = jsonAnswer({ term: formatTerm(term), acknowledged: 0 });
  return (request, response) => {
    if (request.url === '/readyz' && guard.mayAct() && parts.problems().length === 0) {
      if (request.method === 'HEAD') return void response.end();
      if (request.method === 'GET')
        return void response.writeHead(200, ready.headers).end(ready.text);
    }
    if (!isShortReport(request)) return answer(request, response);
    readAhead(request, (body) => {
      if (!isHeard(parts, request, body)) return answer(request, response);
      response.writeHead(200, heard.headers).end(heard.text);
    });
  };
}

function jsonAnswer(body: object) {
  const text = JSON.stringify(body);
  const type = 'application/json; charset=utf-8';
  return { text, headers: { 'Content-Type': type, 'Content-Length': Buffer.byteLength(text) } };
}

function isShortReport({ method, url, headers }: IncomingMessage): boolean {
  if (method !== 'POST' || url !== REPORTS_PATH) return false;
  if (headers['content-encoding'] !== undefined) return false;
  const length = Number(headers['content-length'] ?? Number.POSITIVE_INFINITY);
  return length > 0 && length <= MOST_BYTES && headers['content-type'] === 'application/json';
}

/** Whether it is a sign of life of an agent that is registered, and may be answered now. */
function isHeard(
  { context: { guard }, callers, agentDoubt, gate, agents }: FrequentParts,
  { headers, socket }: IncomingMessage,
  body: string,
): boolean {
  const message = signIn(body);
  if (message === null || !gate.isOpen || !guard.mayAct()) return false;
  const caller = callers.identify(tokenIn(headers.authorization ?? ''));
  if (caller === null || !mayDo(caller.roles, 'agent')) return false;
  if (!mayBe(caller, message.agent)) return false;
  if (agentDoubt(socket, message.agent) !== null) return false;
  return agents.hear(message) && guard.mayAct();
}

/** The sign of life that a body holds; null: it holds something else. */
function signIn(body: string): Reports | null {
  try {
    const message = reportsSchema.safeParse(JSON.parse(body)).data;
    return message?.reports.length === 0 ? message : null;
  } catch {
    return null;
  }
}
