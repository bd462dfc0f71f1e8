import { type BackfillAnswer, type Job, jobSchema } from '@understudy/shared/protocol/api';
import { instantSchema } from '@understudy/shared/protocol/forms';
import { givenParametersSchema } from '@understudy/shared/protocol/parameters';
import {
  backfillAnswerSchema,
  nextInstantsSchema,
  pageSchema,
  runBatchSchema,
  runSchema,
} from '@understudy/shared/protocol/views';
import { z } from 'zod';
import type { SecretBook } from '../security/secrets.ts';
import type { JobRecord } from '../store/records.ts';
import { Refusal } from '../work/refusal.ts';
import { batchView, jobView, runView } from '../work/views.ts';
import { callerOf } from './admission.ts';
import type { AppParts } from './app.ts';
import { check, idempotencyKeyOf } from './input.ts';
import { idempotencyHeader, type PathParameters, Routes } from './routes.ts';

const listSchema = z.object({
  after: z.string().default('').describe('jobs whose names come after this one'),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
});

const nextSchema = z.object({ count: z.coerce.number().int().min(1).max(100).default(10) });

const backfillSchema = z.strictObject({
  from: instantSchema,
  to: instantSchema.describe('the first instant that is not meant any more'),
});

const runRequestSchema = z
  .strictObject({ parameters: givenParametersSchema.default({}) })
  .prefault({});

const submittedSchema = z.union([runSchema, runBatchSchema]);

/** Jobs, and the runs that are asked for. */
export function jobRoutes({ jobs, runs, backfill, state, secrets }: AppParts): Routes {
  const routes = new Routes('/api/v1/jobs');
  const theJob = { what: 'the job', body: jobSchema };
  routes.get(
    '/',
    {
      summary: 'Jobs, by name.',
      needs: 'viewer',
      query: listSchema,
      answers: { 200: { what: 'a page of jobs', body: pageSchema(jobSchema) } },
    },
    (context, { query: { after, limit } }) => {
      const rest = state.committedJobs().filter((job) => job.definition.name > after);
      const items = rest.slice(0, limit).map(jobView);
      context.body = { items, next: rest.length > limit ? (items.at(-1)?.name ?? null) : null };
    },
  );
  routes.post(
    '/',
    {
      summary: 'Creates a job.',
      needs: 'operator',
      audited: 'job.create',
      body: jobSchema,
      answers: { 201: theJob },
      errors: ['job-exists', 'store-away'],
    },
    async (context, { body, by }) => {
      checkSecrets(body, secrets);
      const job = await jobs.create(body, by(body.name));
      context.status = 201;
      context.body = jobView(job);
    },
  );
  routes.get(
    '/:name',
    {
      summary: 'One job.',
      needs: 'viewer',
      answers: { 200: theJob },
      errors: ['unknown-job'],
    },
    (context) => {
      context.body = jobView(jobs.get(nameOf(context)));
    },
  );
  routes.put(
    '/:name',
    {
      summary: 'Creates or replaces a job. The body need not name it again.',
      needs: 'operator',
      audited: 'job.apply',
      body: jobSchema,
      completed: named,
      answers: { 200: theJob, 201: { what: 'the job, which is new', body: jobSchema } },
      errors: ['store-away'],
    },
    async (context, { body, by }) => {
      const name = nameOf(context);
      check(z.object({ name: z.literal(name, `expected ${name}, as in the path`) }), body);
      checkSecrets(body, secrets);
      const { job, isNew } = await jobs.apply(
        body,
        by(name, changedFields(state.jobs.get(name), body)),
      );
      context.status = isNew ? 201 : 200;
      context.body = jobView(job);
    },
  );
  routes.delete(
    '/:name',
    {
      summary: 'Deletes a job. Its runs stay on record, and those that are not over go on.',
      needs: 'operator',
      audited: 'job.delete',
      answers: { 204: { what: 'it is deleted' } },
      errors: ['unknown-job', 'store-away'],
    },
    async (context, { by }) => {
      await jobs.delete(nameOf(context), by(nameOf(context)));
      context.status = 204;
    },
  );
  routes.get(
    '/:name/next',
    {
      summary: 'The next instants of the schedule of a job.',
      needs: 'viewer',
      query: nextSchema,
      answers: { 200: { what: 'the instants', body: nextInstantsSchema } },
      errors: ['unknown-job'],
    },
    (context, { query: { count } }) => {
      context.body = jobs.next(nameOf(context), count);
    },
  );
  for (const [verb, paused, summary] of [
    ['pause', true, 'Lets the schedule of a job rest.'],
    ['resume', false, 'Takes the schedule of a job up again.'],
  ] as const) {
    routes.post(
      `/:name/${verb}`,
      {
        summary,
        needs: 'operator',
        audited: `job.${verb}`,
        answers: { 200: theJob },
        errors: ['unknown-job', 'store-away'],
      },
      async (context, { by }) => {
        const name = nameOf(context);
        context.body = jobView(await jobs.setPaused(name, paused, by(name)));
      },
    );
  }
  routes.post(
    '/:name/runs',
    {
      summary: 'Runs a job now.',
      needs: 'operator',
      audited: 'run.create',
      body: runRequestSchema,
      headers: idempotencyHeader,
      answers: {
        200: { what: 'the run of an earlier request with the same key', body: submittedSchema },
        201: { what: 'the run, or one for each agent', body: submittedSchema },
      },
      errors: ['unknown-job', 'store-away'],
    },
    async (context, { body: { parameters }, by }) => {
      const job = jobs.get(nameOf(context));
      const idempotencyKey = idempotencyKeyOf(context);
      const orderedBy = callerOf(context).name;
      const request = { scheduledFor: null, parameters, idempotencyKey, orderedBy };
      const submitted = await runs.submit(job, request, by(job.definition.name));
      context.status = submitted.isNew ? 201 : 200;
      if (job.definition.agents === 'one') context.body = runView(submitted.run);
      else context.body = batchView(submitted.runs);
    },
  );
  routes.post(
    '/:name/backfill',
    {
      summary:
        'Runs what the schedule of a job should have run in the past and did not, as far as its runs are kept.',
      needs: 'operator',
      audited: 'job.backfill',
      body: backfillSchema,
      answers: { 200: { what: 'what came of it', body: backfillAnswerSchema } },
      errors: ['unknown-job', 'store-away'],
    },
    async (context, { body: { from, to }, by }) => {
      const job = jobs.get(nameOf(context));
      const orderedBy = callerOf(context).name;
      const range = { from: Date.parse(from), to: Date.parse(to), orderedBy };
      const done = await backfill.backfill(job, range, by(job.definition.name));
      const created = done.created.map(({ id }) => id);
      context.body = { created, existing: done.existing } satisfies BackfillAnswer;
    },
  );
  return routes;
}

function nameOf({ params }: { readonly params: PathParameters }): string {
  return params['name'] ?? '';
}

/** A job that names a secret which is not there would fail each time. */
function checkSecrets(job: Job, secrets: SecretBook): void {
  const [missing] = secrets.missing(job.secrets);
  if (missing === undefined) return;
  const expected = `expected stored secrets: \`understudy secret set ${missing}\``;
  const details = [{ field: 'secrets', value: missing, expected }];
  throw new Refusal('invalid', `secrets: ${expected}`, details);
}

/** Which fields of a job a new definition changes; of a new job none. */
function changedFields(old: JobRecord | undefined, next: Job): string[] {
  if (old === undefined) return [];
  const { definition } = old;
  const names = Object.keys(next) as (keyof Job)[];
  return names.filter((name) => JSON.stringify(definition[name]) !== JSON.stringify(next[name]));
}

/** The path names the job: the body need not name it again. */
function named(body: unknown, { name }: PathParameters): unknown {
  const isObject = typeof body === 'object' && body !== null && !Array.isArray(body);
  return isObject && !Object.hasOwn(body, 'name') ? { ...body, name } : body;
}
