import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import {
  type BulkAnswer,
  bulkSchema,
  nameSchema,
  type Page,
  type RunStep,
  runStates,
} from '@understudy/shared/protocol/api';
import { instantSchema } from '@understudy/shared/protocol/forms';
import {
  bulkAnswerSchema,
  pageSchema,
  runSchema,
  runStepSchema,
} from '@understudy/shared/protocol/views';
import { z } from 'zod';
import { listRuns } from '../history/list-runs.ts';
import { readLog } from '../stream/log.ts';
import { Refusal } from '../work/refusal.ts';
import { historyOf } from '../work/run-history.ts';
import { runView } from '../work/views.ts';
import { callerOf } from './admission.ts';
import type { AppParts } from './app.ts';
import { idempotencyKeyOf } from './input.ts';
import { idempotencyHeader, type PathParameters, Routes } from './routes.ts';

const whenSchema = instantSchema.transform((text) => Date.parse(text));

const listSchema = z.object({
  job: nameSchema.optional(),
  /** Several are separated by commas, or given one by one. */
  state: z
    .union([z.string(), z.array(z.string())])
    .transform((given) => [given].flat().join(',').split(','))
    .pipe(z.array(z.enum(runStates)))
    .default([]),
  agent: nameSchema.optional(),
  since: whenSchema.optional().describe('made at this instant or later'),
  until: whenSchema.optional().describe('made before this instant'),
  q: z.string().min(1).max(200).optional().describe('in the reason or in a parameter'),
  after: z.uuid().optional().describe('runs older than this one'),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
});

const MOST_EVENTS = 1_000;

const logSchema = z.object({
  offset: z.coerce.number().int().min(0).default(0).describe('where to begin, in bytes'),
  follow: z.enum(['true', 'false']).default('false').describe('until the run is over'),
});

/** Runs, what they wrote, and what can be done with them. */
export function runRoutes(parts: AppParts): Routes {
  const { runs, reader } = parts;
  const routes = new Routes('/api/v1/runs');
  const theRun = { what: 'the run', body: runSchema };
  routes.get(
    '/',
    {
      summary: 'Runs, newest first.',
      needs: 'viewer',
      query: listSchema,
      answers: { 200: { what: 'a page of runs', body: pageSchema(runSchema) } },
      errors: ['store-away'],
    },
    async (context, { query }) => {
      const { job = null, agent = null, since = null, until = null, after = null } = query;
      const filter = { job, agent, since, until, after, limit: query.limit };
      const states = [...new Set(query.state)];
      const found = await listRuns({ ...filter, states, text: query.q ?? null }, parts);
      context.body = { items: found.runs.map(runView), next: found.next };
    },
  );
  routes.post(
    '/',
    {
      summary: 'Makes many runs. Each item is accepted or refused by itself.',
      needs: 'operator',
      audited: 'run.create',
      body: bulkSchema,
      answers: { 200: { what: 'what became of each item', body: bulkAnswerSchema } },
      errors: ['store-away'],
    },
    async (context, { body, by }) => {
      const order = { orderedBy: callerOf(context).name, by };
      context.body = { items: await parts.bulk.submit(body.runs, order) } satisfies BulkAnswer;
    },
  );
  routes.get(
    '/:id',
    {
      summary: 'One run with its attempts.',
      needs: 'viewer',
      answers: { 200: theRun },
      errors: ['unknown-run', 'store-away'],
    },
    async (context) => {
      context.body = runView(await runs.get(idOf(context)));
    },
  );
  routes.get(
    '/:id/log',
    {
      summary: 'What a run wrote, byte by byte: the output of its attempts, one after the other.',
      needs: 'viewer',
      query: logSchema,
      answers: { 200: { what: 'the bytes', type: 'application/octet-stream' } },
      errors: ['unknown-run', 'store-away'],
    },
    async (context, { query: { offset, follow } }) => {
      const run = await runs.get(idOf(context));
      const isFollowed = follow === 'true';
      // Nothing of it would be a log that ends, as far as its reader can see.
      if (!isFollowed) reader.requireAnswers();
      // What has an end of its own is given to its end: cut short, it would look complete.
      const signal = untilClosed(context.res, isFollowed ? parts.isClosing : null);
      const stream = Readable.from(
        readLog({ parts, run: run.id, offset, follow: isFollowed, signal }),
      );
      context.type = 'application/octet-stream';
      context.set('Cache-Control', 'no-store');
      context.body = stream;
    },
  );
  routes.get(
    '/:id/history',
    {
      summary: 'What became of a run, in the order in which it did.',
      needs: 'viewer',
      answers: { 200: { what: 'its steps', body: pageSchema(runStepSchema) } },
      errors: ['unknown-run', 'store-away'],
    },
    async (context) => {
      const run = await runs.get(idOf(context));
      const items = historyOf(run, await reader.eventsOf(run.id, MOST_EVENTS));
      context.body = { items, next: null } satisfies Page<RunStep>;
    },
  );
  routes.post(
    '/:id/cancel',
    {
      summary: 'Ends a run. One that is over stays as it is.',
      needs: 'operator',
      audited: 'run.cancel',
      answers: { 200: { what: 'the run as it is then', body: runSchema } },
      errors: ['unknown-run', 'store-away'],
    },
    async (context, { by }) => {
      const id = idOf(context);
      context.body = runView(await runs.cancel(id, callerOf(context).name, by(id)));
    },
  );
  routes.post(
    '/:id/retry',
    {
      summary: 'Makes a new run that repeats one that is over.',
      needs: 'operator',
      audited: 'run.retry',
      headers: idempotencyHeader,
      answers: {
        200: { what: 'the run of an earlier request with the same key', body: runSchema },
        201: { what: 'the new run', body: runSchema },
      },
      errors: ['unknown-run', 'run-not-over', 'store-away'],
    },
    async (context, { by }) => {
      const id = idOf(context);
      const idempotencyKey = idempotencyKeyOf(context);
      const order = { idempotencyKey, orderedBy: callerOf(context).name };
      const { run, isNew } = await runs.retry(id, order, by(id));
      context.status = isNew ? 201 : 200;
      context.body = runView(run);
    },
  );
  return routes;
}

/** Aborts when the answer is over, whoever ended it, or at another signal. */
function untilClosed(response: ServerResponse, orAt: AbortSignal | null): AbortSignal {
  const over = new AbortController();
  const end = () => over.abort();
  orAt?.addEventListener('abort', end);
  response.once('close', () => {
    orAt?.removeEventListener('abort', end);
    end();
  });
  if (orAt?.aborted === true || response.closed) end();
  return over.signal;
}

function idOf({ params }: { readonly params: PathParameters }): string {
  const parsed = z.uuid().safeParse(params['id']);
  if (parsed.success) return parsed.data;
  throw new Refusal('unknown-run', `there is no run ${params['id']}`);
}
