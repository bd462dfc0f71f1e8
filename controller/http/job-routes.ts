import Router from '@koa/router';
import { type BackfillAnswer, jobSchema } from '@understudy/shared/protocol/api';
import { instantSchema } from '@understudy/shared/protocol/forms';
import { givenParametersSchema } from '@understudy/shared/protocol/parameters';
import { z } from 'zod';
import { batchView, jobView, runView } from '../work/views.ts';
import type { AppParts } from './app.ts';
import { bodyOf, callerOf, check, idempotencyKeyOf } from './input.ts';

const listSchema = z.object({
  after: z.string().default(''),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
});

const nextSchema = z.object({ count: z.coerce.number().int().min(1).max(100).default(10) });

const backfillSchema = z.strictObject({ from: instantSchema, to: instantSchema });

const runRequestSchema = z.strictObject({ parameters: givenParametersSchema.default({}) });

/** Jobs, and the runs that are asked for. */
export function jobRoutes({ jobs, runs, backfill, state }: AppParts): Router {
  const router = new Router({ prefix: '/api/v1/jobs' });
  router.get('/', (context) => {
    const { after, limit } = check(listSchema, context.query);
    const rest = state.committedJobs().filter((job) => job.definition.name > after);
    const items = rest.slice(0, limit).map(jobView);
    context.body = { items, next: rest.length > limit ? (items.at(-1)?.name ?? null) : null };
  });
  router.post('/', async (context) => {
    const job = await jobs.create(check(jobSchema, bodyOf(context)));
    context.status = 201;
    context.body = jobView(job);
  });
  router.get('/:name', (context) => {
    context.body = jobView(jobs.get(nameOf(context)));
  });
  router.put('/:name', async (context) => {
    const name = nameOf(context);
    const definition = check(jobSchema, named(bodyOf(context), name));
    check(z.object({ name: z.literal(name, `expected ${name}, as in the path`) }), definition);
    const { job, isNew } = await jobs.apply(definition);
    context.status = isNew ? 201 : 200;
    context.body = jobView(job);
  });
  router.delete('/:name', async (context) => {
    await jobs.delete(nameOf(context));
    context.status = 204;
  });
  router.get('/:name/next', (context) => {
    const { count } = check(nextSchema, context.query);
    context.body = jobs.next(nameOf(context), count);
  });
  router.post('/:name/pause', async (context) => {
    context.body = jobView(await jobs.setPaused(nameOf(context), true));
  });
  router.post('/:name/resume', async (context) => {
    context.body = jobView(await jobs.setPaused(nameOf(context), false));
  });
  router.post('/:name/runs', async (context) => {
    const job = jobs.get(nameOf(context));
    const { parameters } = check(runRequestSchema, bodyOf(context) ?? {});
    const idempotencyKey = idempotencyKeyOf(context);
    const request = {
      scheduledFor: null,
      parameters,
      idempotencyKey,
      orderedBy: callerOf(context),
    };
    const submitted = await runs.submit(job, request);
    context.status = submitted.isNew ? 201 : 200;
    if (job.definition.agents === 'one') context.body = runView(submitted.run);
    else context.body = batchView(submitted.runs);
  });
  router.post('/:name/backfill', async (context) => {
    const job = jobs.get(nameOf(context));
    const { from, to } = check(backfillSchema, bodyOf(context) ?? {});
    const range = { from: Date.parse(from), to: Date.parse(to), orderedBy: callerOf(context) };
    const { created, existing } = await backfill.backfill(job, range);
    context.body = { created: created.map(({ id }) => id), existing } satisfies BackfillAnswer;
  });
  return router;
}

function nameOf(context: { readonly params: Record<string, string | undefined> }): string {
  return context.params['name'] ?? '';
}

/** The path names the job: the body need not name it again. */
function named(body: unknown, name: string): unknown {
  const isObject = typeof body === 'object' && body !== null && !Array.isArray(body);
  return isObject && !Object.hasOwn(body, 'name') ? { ...body, name } : body;
}
