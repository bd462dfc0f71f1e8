import { z } from 'zod';
import {
  type AgentView,
  type Attempt,
  type BackfillAnswer,
  type BulkAnswer,
  type ErrorBody,
  type EventView,
  labelsSchema,
  type NextInstants,
  nameSchema,
  type PairView,
  parametersSchema,
  type Run,
  type RunBatch,
  type RunStep,
  runStates,
} from './api.ts';

/**
 * What the API answers, as schemas: the document of the API is made from them, and tests hold the answers
 * against them. A field that is added to a type of `api.ts` has to be added here.
 */

const instant = z.iso.datetime().describe('an instant, ISO 8601, UTC');
const term = z.string().regex(/^\d+$/).describe('a term: a whole number as text');
const count = z.number().int().min(0);

export const attemptSchema: z.ZodType<Attempt> = z
  .object({
    number: z.number().int().min(1),
    agent: nameSchema,
    term,
    state: z.enum([
      'dispatched',
      'running',
      'succeeded',
      'failed',
      'timed-out',
      'cancelled',
      'lost',
    ]),
    orderedAt: instant,
    startedAt: instant.nullable(),
    finishedAt: instant.nullable(),
    exitCode: z.number().int().nullable(),
    signal: z.string().nullable(),
    reason: z.string().nullable(),
  })
  .meta({ id: 'Attempt', description: 'One try of a run on one agent.' });

export const runSchema: z.ZodType<Run> = z
  .object({
    id: z.uuid(),
    job: nameSchema,
    state: z.enum(runStates),
    scheduledFor: instant.nullable(),
    createdAt: instant,
    startedAt: instant.nullable(),
    finishedAt: instant.nullable(),
    exitCode: z.number().int().nullable(),
    reason: z.string().nullable(),
    agent: nameSchema.nullable(),
    term,
    retryOf: z.uuid().nullable(),
    causedBy: z.string().nullable(),
    target: nameSchema.nullable(),
    batch: z.uuid().nullable(),
    lateAt: instant.nullable(),
    parameters: parametersSchema,
    attempts: z.array(attemptSchema),
    logBytes: count,
  })
  .meta({ id: 'Run', description: 'One execution of a job.' });

export const runBatchSchema: z.ZodType<RunBatch> = z
  .object({ batch: z.uuid().nullable(), items: z.array(runSchema) })
  .meta({ id: 'RunBatch', description: 'A run for each agent that was there.' });

export const runStepSchema: z.ZodType<RunStep> = z
  .object({
    at: instant,
    term: term.nullable(),
    what: z.string(),
    attempt: z.number().int().nullable(),
    agent: nameSchema.nullable(),
    message: z.string(),
  })
  .meta({ id: 'RunStep', description: 'Something that became of a run.' });

export const nextInstantsSchema: z.ZodType<NextInstants> = z.object({
  job: nameSchema,
  paused: z.boolean().describe('while it is paused they will be skipped'),
  items: z.array(instant),
});

export const backfillAnswerSchema: z.ZodType<BackfillAnswer> = z.object({
  created: z.array(z.uuid()),
  existing: count.describe('instants for which there were runs already'),
});

const refusedItemSchema = z.object({
  outcome: z.literal('refused'),
  error: z.object({ code: z.string(), message: z.string() }),
});

export const bulkAnswerSchema: z.ZodType<BulkAnswer> = z.object({
  items: z
    .array(
      z.union([
        z.object({ outcome: z.enum(['created', 'existing']), id: z.uuid() }),
        refusedItemSchema,
      ]),
    )
    .describe('in the order of the items that were sent'),
});

export const agentViewSchema: z.ZodType<AgentView> = z
  .object({
    id: nameSchema,
    state: z.enum(['connected', 'disconnected', 'lost']),
    draining: z.boolean(),
    drainUntil: instant.nullable(),
    labels: labelsSchema,
    slots: count,
    running: count,
    version: z.string(),
    lastSeenAt: instant,
  })
  .meta({ id: 'Agent', description: 'A worker host.' });

export const pairViewSchema: z.ZodType<PairView> = z
  .object({
    pair: nameSchema,
    node: nameSchema,
    term,
    since: instant,
    store: z.enum(['connected', 'away']),
    failsafe: z.boolean(),
    agents: z.object({ connected: count, disconnected: count, lost: count }),
    runs: z.object({ queued: count, dispatched: count, running: count }),
  })
  .meta({ id: 'Pair', description: 'The pair as its active controller sees it.' });

export const eventViewSchema: z.ZodType<EventView> = z
  .object({
    seq: z.string(),
    at: instant,
    term,
    kind: z.string(),
    subject: z.string().nullable(),
    message: z.string(),
    facts: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'Event', description: 'One thing that happened in the work plane.' });

/** One page of a list. */
export function pageSchema<T extends z.ZodType>(item: T) {
  return z.object({
    items: z.array(item),
    next: z.string().nullable().describe('the cursor for `?after=`; null on the last page'),
  });
}

export const errorBodySchema = (codes: readonly string[]): z.ZodType<ErrorBody> =>
  z.object({
    error: z.object({
      code: z.enum(codes),
      message: z.string(),
      details: z.unknown().optional(),
    }),
  });
