/**
 * What is asked all the time, or by all agents at once, answered before the application and without its cost:
 * heartbeats and agents ask whether this controller is ready, workers introduce themselves after a fail-over and
 * ask for their orders, and those with nothing to report say that they live. Only what is in order is answered
 * here, and under the same conditions; whatever else there is to say, the application says.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { formatTerm } from '@understudy/shared/kernel/term';
import { type Register, registerSchema, reportsSchema } from '@understudy/shared/protocol/agent';
import type { z } from 'zod';
import { type Caller, mayBe, mayDo } from '../security/roles.ts';
import { openOrderStream, orderTexts, ownSocketOf } from '../stream/order-stream.ts';
import type { OrderStream } from '../work/agent-entry.ts';
import { endWithCaller, notActive, tokenIn } from './admission.ts';
import { ordersSchema } from './agent-routes.ts';
import type { AppParts } from './app.ts';
import { answerRefused } from './errors.ts';
import { readAhead } from './read-ahead.ts';

export type FrequentParts = Pick<
  AppParts,
  'context' | 'problems' | 'callers' | 'agentDoubt' | 'gate' | 'agents'
>;

const REPORTS_PATH = '/agent/v1/reports';
const REGISTER_PATH = '/agent/v1/register';
const ORDERS_PATH = '/agent/v1/orders?';
/** What is longer is no sign of life, or the introduction of a worker that has much to tell. */
const MOST_BYTES: Readonly<Record<string, number>> = {
  [REPORTS_PATH]: 512,
  [REGISTER_PATH]: 16_384,
};

/** Answers what is asked all the time, and leaves the rest to the application. */
export function answerFrequent(parts: FrequentParts, answer: RequestListener): RequestListener {
  const { guard, node, term } = parts.context;
  const ready = jsonAnswer({ term: formatTerm(term), node });
  const heard = jsonAnswer({ term: formatTerm(term), acknowledged: 0 });
  const openOrders = ordersOpener(parts);
  return (request, response) => {
    const { url = '', method } = request;
    if (url === '/readyz' && guard.mayAct() && parts.problems().length === 0) {
      if (method === 'HEAD') return void response.end();
      if (method === 'GET') return void response.writeHead(200, ready.headers).end(ready.text);
    }
    if (method === 'GET' && url.startsWith(ORDERS_PATH)) {
      if (!openOrders(request, response)) answer(request, response);
      return;
    }
    if (!isShortJson(request)) return answer(request, response);
    readAhead(request, (body) => {
      if (url === REGISTER_PATH) {
        const message = readJson(registerSchema, body);
        const caller = message === null ? null : callerOf(parts, request, message.agent);
        if (message === null || caller === null) return answer(request, response);
        void register(parts, { request, response }, message);
        return;
      }
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

function isShortJson({ method, url = '', headers }: IncomingMessage): boolean {
  const most = method === 'POST' ? MOST_BYTES[url] : undefined;
  if (most === undefined || headers['content-encoding'] !== undefined) return false;
  const length = Number(headers['content-length'] ?? Number.POSITIVE_INFINITY);
  return length > 0 && length <= most && headers['content-type'] === 'application/json';
}

/** Who asks for an agent, if that may be answered now. */
function callerOf(
  { context: { guard }, callers, agentDoubt, gate }: FrequentParts,
  { headers, socket }: IncomingMessage,
  agent: string,
): Caller | null {
  if (!gate.isOpen || !guard.mayAct()) return null;
  const caller = callers.identify(tokenIn(headers.authorization ?? ''));
  if (caller === null || !mayDo(caller.roles, 'agent') || !mayBe(caller, agent)) return null;
  return agentDoubt(socket, agent) === null ? caller : null;
}

/** Whether it is a sign of life of an agent that is registered, and may be answered now. */
function isHeard(parts: FrequentParts, request: IncomingMessage, body: string): boolean {
  const message = readJson(reportsSchema, body);
  if (message === null || message.reports.length > 0) return false;
  if (callerOf(parts, request, message.agent) === null) return false;
  return parts.agents.hear(message) && parts.context.guard.mayAct();
}

async function register(
  { context: { guard, log }, gate, agents }: FrequentParts,
  exchange: { readonly request: IncomingMessage; readonly response: ServerResponse },
  message: Register,
): Promise<void> {
  const { response } = exchange;
  try {
    if (!(await gate.enter(exchange))) return;
    const { text, headers } = jsonAnswer(await agents.register(message));
    if (!guard.mayAct()) throw notActive();
    response.writeHead(200, headers).end(text);
  } catch (error) {
    answerRefused(response, error, log);
  }
}

/** Opens the stream of orders that is asked for; false: the application is to say why not. */
function ordersOpener(parts: FrequentParts) {
  const { agents, context } = parts;
  const textOf = orderTexts();
  return (request: IncomingMessage, response: ServerResponse): boolean => {
    const asked = ordersSchema.safeParse(queryOf(request)).data;
    const socket = ownSocketOf(request, response);
    if (asked === undefined || socket === null) return false;
    const { agent, incarnation, session } = asked;
    const caller = callerOf(parts, request, agent);
    if (caller === null || !agents.isAwaitedHere(agent, incarnation, session)) return false;
    if (!context.guard.mayAct()) return false;
    const onEnd = () => agents.disconnected(agent, stream);
    const stream: OrderStream = openOrderStream(response, { socket, textOf, onEnd });
    agents.connect(agent, incarnation, stream);
    endWithCaller(response, caller);
    return true;
  };
}

/** Null: something is said twice. */
function queryOf({ url = '' }: IncomingMessage): object | null {
  const given = new URLSearchParams(url.slice(ORDERS_PATH.length));
  const query = Object.fromEntries(given);
  return Object.keys(query).length === given.size ? query : null;
}

/** What a body holds; null: it is something else. */
function readJson<S extends z.ZodType>(schema: S, body: string): z.output<S> | null {
  try {
    return schema.safeParse(JSON.parse(body)).data ?? null;
  } catch {
    return null;
  }
}
