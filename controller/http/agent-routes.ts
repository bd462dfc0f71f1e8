import { formatTerm } from '@understudy/shared/kernel/term';
import {
  orderSchema,
  registeredSchema,
  registerSchema,
  reportsAnswerSchema,
  reportsSchema,
} from '@understudy/shared/protocol/agent';
import { nameSchema } from '@understudy/shared/protocol/api';
import type Koa from 'koa';
import { z } from 'zod';
import { mayBe } from '../security/roles.ts';
import { orderTexts } from '../stream/order-stream.ts';
import { openEventStream } from '../stream/sse.ts';
import type { OrderStream } from '../work/agent-entry.ts';
import { Refusal } from '../work/refusal.ts';
import { callerOf } from './admission.ts';
import type { AppParts } from './app.ts';
import { Routes } from './routes.ts';

/** Who asks for orders: the query. */
export const ordersSchema = z.object({
  agent: nameSchema,
  incarnation: z.uuid(),
  session: z.coerce.number().int().min(0).default(0),
});

/** Who is not the agent that he says he is. */
const STRANGERS = [
  'wrong-agent',
  'certificate-needed',
  'certificate-refused',
  'wrong-certificate',
] as const;

/** What workers speak: `shared/protocol/agent.ts`. */
export function agentProtocolRoutes(parts: AppParts): Routes {
  const { agents, reports, context: tenure } = parts;
  const routes = new Routes('/agent/v1');
  const textOf = orderTexts();
  routes.post(
    '/register',
    {
      summary: 'A worker introduces itself and says what it runs.',
      needs: 'agent',
      body: registerSchema,
      answers: { 200: { what: 'what it must know', body: registeredSchema } },
      errors: [...STRANGERS, 'duplicate-agent', 'late-registration', 'stale-term', 'store-away'],
    },
    async (context, { body }) => {
      requireOwn(context, body.agent, parts);
      context.body = await agents.register(body);
    },
  );
  routes.get(
    '/orders',
    {
      summary: `The orders for a worker, as Server-Sent Events: ${orderTypes.join(', ')}.`,
      needs: 'agent',
      query: ordersSchema,
      answers: { 200: { what: 'one message an order', type: 'text/event-stream' } },
      errors: [...STRANGERS, 'unknown-agent', 'late-registration'],
    },
    (context, { query: { agent, incarnation, session } }) => {
      requireOwn(context, agent, parts);
      agents.requireStream(agent, incarnation, session);
      const isGone = () => agents.disconnected(agent, stream);
      const events = openEventStream(context, isGone, 'closed');
      const stream: OrderStream = {
        send: (order) => events.sendText(textOf(order)),
        close: () => events.close(),
      };
      agents.connect(agent, incarnation, stream);
    },
  );
  routes.post(
    '/reports',
    {
      summary: 'What became of attempts; acknowledged once committed.',
      needs: 'agent',
      body: reportsSchema,
      answers: { 200: { what: 'what is committed', body: reportsAnswerSchema } },
      errors: [...STRANGERS, 'unknown-agent', 'stale-term', 'store-away'],
    },
    async (context, { body }) => {
      requireOwn(context, body.agent, parts);
      const acknowledged = await reports.take(body);
      context.body = { term: formatTerm(tenure.term), acknowledged };
    },
  );
  return routes;
}

/**
 * A token, and a certificate, that were made for one agent are good for no other: who has them can't pass for another
 * host.
 */
function requireOwn(
  context: Pick<Koa.Context, 'state' | 'req'>,
  agent: string,
  { agentDoubt }: Pick<AppParts, 'agentDoubt'>,
): void {
  const caller = callerOf(context);
  const doubt = agentDoubt(context.req.socket, agent);
  if (doubt !== null) throw new Refusal(doubt.code, doubt.message, agent);
  if (mayBe(caller, agent)) return;
  const message = `the token ${caller.name} is that of agent ${caller.agent}, and not of ${agent}`;
  throw new Refusal('wrong-agent', message, agent);
}

const orderTypes = orderSchema.options.map(({ shape }) => shape.type.value);
