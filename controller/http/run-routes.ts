import type Router from '@koa/router';
import { z } from 'zod';
import { sendRunLog } from '../stream/log-follower.ts';
import { Refusal } from '../work/refusal.ts';
import { runView } from '../work/views.ts';
import type { HttpParts } from './parts.ts';
import { logQuerySchema, readIdempotencyKey, runQuerySchema } from './query.ts';
import { parse } from './validate.ts';

const cancelSchema = z.strictObject({
  reason: z.string().max(1_000).default('cancelled by a user'),
});

export function addRunRoutes(router: Router, parts: HttpParts): void {
  const { runs, reader } = parts;

  router.get('/api/v1/runs', async (context) => {
    const query = parse(runQuerySchema, context.query);
    const found = await reader.listRuns({ ...query, limit: query.limit + 1 });
    const items = found.slice(0, query.limit).map(runView);
    context.body = { items, next: found.length > query.limit ? (items.at(-1)?.id ?? null) : null };
  });

  router.get('/api/v1/runs/:id', async (context) => {
    context.body = runView(await runs.get(idOf(context.params)));
  });

  router.get('/api/v1/runs/:id/log', async (context) => {
    const { offset, follow } = parse(logQuerySchema, context.query);
    const request = { run: idOf(context.params), offset, follow: follow === 'true' };
    context.respond = false;
    const mayAct = () => parts.context.guard.mayAct();
    await sendRunLog(request, { ...parts, mayAct }, context.res);
  });

  router.post('/api/v1/runs/:id/cancel', async (context) => {
    const { reason } = parse(cancelSchema, context.request.body ?? {});
    context.body = runView(await runs.cancel(idOf(context.params), reason));
  });

  router.post('/api/v1/runs/:id/retry', async (context) => {
    const { run, isNew } = await runs.retry(idOf(context.params), readIdempotencyKey(context));
    context.status = isNew ? 201 : 200;
    context.body = runView(run);
  });
}

function idOf(params: Record<string, string | undefined>): string {
  const id = z.uuid().safeParse(params['id']);
  if (!id.success) throw new Refusal('unknown-run', `there is no run ${params['id']}`);
  return id.data;
}
