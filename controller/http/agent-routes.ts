import type Router from '@koa/router';
import { formatTerm } from '@understudy/shared/kernel/term';
import {
  type ReportsAnswerWire,
  registerSchema,
  reportsSchema,
} from '@understudy/shared/protocol/agent';
import { openOrderStream } from '../stream/order-stream.ts';
import type { HttpParts } from './parts.ts';
import { ordersQuerySchema } from './query.ts';
import { parse } from './validate.ts';

/** The routes of the workers; see `shared/protocol/agent.ts`. */
export function addAgentRoutes(router: Router, { agents, reports, context: own }: HttpParts): void {
  router.post('/agent/v1/register', async (context) => {
    context.body = await agents.register(parse(registerSchema, context.request.body));
  });

  router.get('/agent/v1/orders', (context) => {
    const who = parse(ordersQuerySchema, context.query);
    agents.requireSession(who.agent, who.incarnation);
    context.respond = false;
    openOrderStream(agents, who, context.res);
  });

  router.post('/agent/v1/reports', async (context) => {
    const acknowledged = await reports.take(parse(reportsSchema, context.request.body));
    const answer: ReportsAnswerWire = { term: formatTerm(own.term), acknowledged };
    context.body = answer;
  });
}
