import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import Router from '@koa/router';
import {
  type BulkAnswer,
  bulkSchema,
  nameSchema,
  type Page,
  type RunStep,
  runStates,
} from '@understudy/shared/protocol/api';
import { z } from 'zod';
import { readLog } from '../stream/log.ts';
import { Refusal } from '../work/refusal.ts';
import { historyOf } from '../work/run-history.ts';
import { runView } from '../work/views.ts';
import type { AppParts } from './app.ts';
import { bodyOf, callerOf, check, idempotencyKeyOf } from './input.ts';

const listSchema = z.object({
  job: nameSchema.optional(),
  state: z.enum(runStates).optional(),
  agent: nameSchema.optional(),
  after: z.uuid().optional(),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
});

const MOST_EVENTS = 1_000;

const logSchema = z.object({
  offset: z.coerce.number().int().min(0).default(0),
  follow: z.enum(['true', 'false']).default('false'),
});

/** Runs, what they wrote, and what can be done with them. */
export function runRoutes(parts: AppParts): Router {
  const { runs, reader } = parts;
  const router = new Router({ prefix: '/api/v1/runs' });
  router.get('/', async (context) => {
    const {
      job = null,
      state = null,
      agent = null,
      after = null,
      limit,
    } = check(listSchema, context.query);
    const found = await parts.runs.list({ job, state, agent, after, limit: limit + 1 });
    const items = found.slice(0, limit).map(runView);
    context.body = { items, next: found.length > limit ? (items.at(-1)?.id ?? null) : null };
  });
  router.post('/', async (context) => {
    const { runs: items } = check(bulkSchema, bodyOf(context));
    context.body = {
      items: await parts.bulk.submit(items, callerOf(context)),
    } satisfies BulkAnswer;
  });
  router.get('/:id', async (context) => {
    context.body = runView(await runs.get(idOf(context)));
  });
  router.get('/:id/log', async (context) => {
    const { offset, follow } = check(logSchema, context.query);
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
  });
  router.get('/:id/history', async (context) => {
    const run = await runs.get(idOf(context));
    const items = historyOf(run, await reader.eventsOf(run.id, MOST_EVENTS));
    context.body = { items, next: null } satisfies Page<RunStep>;
  });
  router.post('/:id/cancel', async (context) => {
    context.body = runView(await runs.cancel(idOf(context), callerOf(context)));
  });
  router.post('/:id/retry', async (context) => {
    const { run, isNew } = await runs.retry(idOf(context), {
      ...{ idempotencyKey: idempotencyKeyOf(context), orderedBy: callerOf(context) },
    });
    context.status = isNew ? 201 : 200;
    context.body = runView(run);
  });
  return router;
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

function idOf(context: { readonly params: Record<string, string | undefined> }): string {
  const parsed = z.uuid().safeParse(context.params['id']);
  if (parsed.success) return parsed.data;
  throw new Refusal('unknown-run', `there is no run ${context.params['id']}`);
}
