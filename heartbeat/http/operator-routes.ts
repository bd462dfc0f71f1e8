import Router from '@koa/router';
import { type EventPlace, eventPlace, type PairEvents } from '@understudy/shared/protocol/events';
import { isSameSecret } from '@understudy/shared/runtime/secret';
import type Koa from 'koa';
import { z } from 'zod';
import { answerError } from './answer.ts';

export interface OperatorRoutesOptions {
  readonly token: string;
  readonly events: (after: EventPlace | null, limit: number) => Promise<PairEvents>;
}

const eventsSchema = z.object({
  after: z
    .string()
    .transform((text, context) => {
      const place = eventPlace(text);
      if (place !== null) return place;
      context.addIssue({ code: 'custom', message: 'expected the id of an event' });
      return z.NEVER;
    })
    .optional(),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
});

/** What an operator may see and ask. Every route needs the pair's token. */
export function makeOperatorRouter(options: OperatorRoutesOptions): Router {
  const router = new Router();
  router.use(['/events'], (context, next) => {
    const given = /^Bearer (.+)$/.exec(context.get('authorization'))?.[1] ?? '';
    if (isSameSecret(options.token, given)) return next();
    return answerError(context, 401, 'unauthorized', 'the token is not that of this pair');
  });
  router.get('/events', async (context) => {
    const query = eventsSchema.safeParse(context.query);
    if (!query.success) return answerInvalid(context, query.error);
    const { after = null, limit } = query.data;
    context.body = await options.events(after, limit);
  });
  return router;
}

function answerInvalid(context: Koa.Context, error: z.ZodError): void {
  const issues = error.issues.map((issue) => `${issue.path.join('.') || 'body'}: ${issue.message}`);
  answerError(context, 400, 'bad-request', issues.join('; '));
}
