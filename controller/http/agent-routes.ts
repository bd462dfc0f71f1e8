import Router from '@koa/router';
import { formatTerm } from '@understudy/shared/kernel/term';
import { type OrderWire, registerSchema, reportsSchema } from '@understudy/shared/protocol/agent';
import { nameSchema } from '@understudy/shared/protocol/api';
import { z } from 'zod';
import { eventText, openEventStream } from '../stream/sse.ts';
import type { OrderStream } from '../work/agent-entry.ts';
import type { AppParts } from './app.ts';
import { bodyOf, check } from './input.ts';

const ordersSchema = z.object({
  agent: nameSchema,
  incarnation: z.uuid(),
  session: z.coerce.number().int().min(0).default(0),
});

/** What workers speak: `shared/protocol/agent.ts`. */
export function agentProtocolRoutes({ agents, reports, context: tenure }: AppParts): Router {
  const router = new Router({ prefix: '/agent/v1' });
  const textOf = lastText();
  router.post('/register', async (context) => {
    context.body = await agents.register(check(registerSchema, bodyOf(context)));
  });
  router.get('/orders', (context) => {
    const { agent, incarnation, session } = check(ordersSchema, context.query);
    agents.requireStream(agent, incarnation, session);
    const events = openEventStream(context, () => agents.disconnected(agent, stream));
    const stream: OrderStream = {
      send: (order) => events.sendText(textOf(order)),
      close: () => events.close(),
    };
    agents.connect(agent, incarnation, stream);
  });
  router.post('/reports', async (context) => {
    const acknowledged = await reports.take(check(reportsSchema, bodyOf(context)));
    context.body = { term: formatTerm(tenure.term), acknowledged };
  });
  return router;
}

/** A sign of life goes to each agent in turn: it is written once. */
function lastText(): (order: OrderWire) => string {
  let last: OrderWire | null = null;
  let text = '';
  return (order) => {
    if (order !== last) [last, text] = [order, eventText({ type: order.type, data: order })];
    return text;
  };
}
