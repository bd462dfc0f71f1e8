import type Router from '@koa/router';
import { jobSchema, parametersSchema } from '@understudy/shared/protocol/api';
import { z } from 'zod';
import { Refusal } from '../work/refusal.ts';
import { jobView, runView } from '../work/views.ts';
import type { HttpParts } from './parts.ts';
import { pageQuerySchema, readIdempotencyKey } from './query.ts';
import { parse } from './validate.ts';

const newRunSchema = z.strictObject({ parameters: parametersSchema.default({}) });

export function addJobRoutes(router: Router, { jobs, runs, state }: HttpParts): void {
  router.get('/api/v1/jobs', (context) => {
    const { after, limit } = parse(pageQuerySchema, context.query);
    const found = state.committedJobs().filter(({ definition }) => definition.name > after);
    const items = found.slice(0, limit).map(jobView);
    context.body = { items, next: found.length > limit ? (items.at(-1)?.name ?? null) : null };
  });

  router.post('/api/v1/jobs', async (context) => {
    const job = await jobs.create(parse(jobSchema, context.request.body));
    context.status = 201;
    context.body = jobView(job);
  });

  router.get('/api/v1/jobs/:name', (context) => {
    context.body = jobView(jobs.get(nameOf(context.params)));
  });

  router.put('/api/v1/jobs/:name', async (context) => {
    const name = nameOf(context.params);
    const body = parse(z.record(z.string(), z.unknown()), context.request.body);
    const given = body['name'] ?? name;
    if (given !== name) {
      const details = [{ field: 'name', value: given, expected: `${name}, as in the path` }];
      throw new Refusal('invalid', 'not valid: name', details);
    }
    const { job, isNew } = await jobs.apply(parse(jobSchema, { ...body, name }));
    context.status = isNew ? 201 : 200;
    context.body = jobView(job);
  });

  router.delete('/api/v1/jobs/:name', async (context) => {
    await jobs.delete(nameOf(context.params));
    context.status = 204;
  });

  for (const [verb, paused] of [
    ['pause', true],
    ['resume', false],
  ] as const) {
    router.post(`/api/v1/jobs/:name/${verb}`, async (context) => {
      context.body = jobView(await jobs.setPaused(nameOf(context.params), paused));
    });
  }

  router.post('/api/v1/jobs/:name/runs', async (context) => {
    const { parameters } = parse(newRunSchema, context.request.body ?? {});
    const idempotencyKey = readIdempotencyKey(context);
    const job = jobs.get(nameOf(context.params));
    const submitted = await runs.submit(job, { scheduledFor: null, parameters, idempotencyKey });
    context.status = submitted.isNew ? 201 : 200;
    context.body = runView(submitted.run);
  });
}

function nameOf(params: Record<string, string | undefined>): string {
  return params['name'] ?? '';
}
