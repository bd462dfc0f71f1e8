import { z } from 'zod';
import { actionFields, checkAction, graceOf, mannerFields } from './action.ts';
import { DAY_MS, durationSchema, text } from './forms.ts';
import {
  givenParametersSchema,
  parameterDefinitionsSchema,
  parameterNameSchema,
} from './parameters.ts';
import { type ScheduleView, scheduleSchema } from './schedule.ts';
import { secretNamesSchema } from './secrets.ts';
import { type RetentionView, retentionSchema } from './stored-history.ts';

/** Names of jobs, agents, nodes, pairs and labels: safe in URLs, logs, file names and metrics. */
export const nameSchema = z
  .string()
  .min(1)
  .max(128)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'expected letters, digits, dot, dash, underscore');

export const labelsSchema = z.record(nameSchema, text(256));
export const parametersSchema = z.record(parameterNameSchema, text(65_536));

export const runStates = [
  'queued',
  'dispatched',
  'running',
  'succeeded',
  'failed',
  'timed-out',
  'cancelled',
  'lost',
  'skipped',
] as const;
export type RunState = (typeof runStates)[number];

const timeoutSchema = durationSchema(1, 2_147_483_647);
const delaySchema = durationSchema(0, DAY_MS);
const exitCodeSchema = z.number().int().min(-2_147_483_648).max(2_147_483_647);
const lateSchema = durationSchema(1_000, 366 * DAY_MS);
const windowSchema = durationSchema(1_000, 3_660 * DAY_MS);

/** `delayMs` is another way to write `delay`. Of `exitCodes` null means: any failure is tried again. */
const retriesSchema = z
  .strictObject({
    limit: z.number().int().min(0).max(1_000).default(0),
    delay: delaySchema.optional(),
    delayMs: delaySchema.optional(),
    backoff: z.number().min(1).max(10).default(1),
    maxDelay: delaySchema.optional(),
    maxDelayMs: delaySchema.optional(),
    exitCodes: z.array(exitCodeSchema).min(1).max(256).nullable().default(null),
  })
  .transform(({ delay, delayMs, maxDelay, maxDelayMs, ...retries }) => ({
    ...retries,
    delayMs: delay ?? delayMs ?? 1_000,
    maxDelayMs: maxDelay ?? maxDelayMs ?? DAY_MS,
  }));
const noRetries = { limit: 0, backoff: 1, exitCodes: null, delayMs: 1_000, maxDelayMs: DAY_MS };

/** A run of the job is made when a run of another job ends so. */
const afterSchema = z.strictObject({
  job: nameSchema,
  on: z.enum(['succeeded', 'failed', 'ended']).default('succeeded'),
});
export type After = z.infer<typeof afterSchema>;

/**
 * A job as users write it. Parsed, its durations are milliseconds. `timeoutMs` is another way to write
 * `timeout`, and so on.
 */
export const jobSchema = z
  .strictObject({
    name: nameSchema,
    description: text(1_000).default(''),
    ...actionFields,
    ...mannerFields,
    env: parametersSchema.default({}),
    /** Stored secrets, given to runs as environment and hidden in their output. */
    secrets: secretNamesSchema.default([]),
    parameters: parameterDefinitionsSchema.nullable().default(null),
    schedule: scheduleSchema.nullable().default(null),
    after: z.array(afterSchema).max(100).default([]),
    selector: labelsSchema.default({}),
    delivery: z.enum(['at-most-once', 'at-least-once']).default('at-most-once'),
    retries: retriesSchema.default(noRetries),
    onAgentLost: z.enum(['retry', 'fail']).default('retry'),
    timeout: timeoutSchema.nullable().optional(),
    timeoutMs: timeoutSchema.nullable().optional(),
    concurrency: z.number().int().min(1).max(1_000_000).nullable().default(null),
    overlap: z.enum(['skip', 'queue', 'allow', 'replace']).default('allow'),
    catchUp: z.enum(['none', 'latest', 'all']).default('latest'),
    catchUpWindow: windowSchema.nullable().optional(),
    catchUpWindowMs: windowSchema.nullable().optional(),
    agents: z.enum(['one', 'every']).default('one'),
    late: lateSchema.nullable().optional(),
    lateMs: lateSchema.nullable().optional(),
    priority: z.number().int().min(-1_000).max(1_000).default(0),
    paused: z.boolean().default(false),
    retention: retentionSchema.nullable().default(null),
  })
  .superRefine(checkAction)
  .transform(({ catchUpWindow, catchUpWindowMs, late, lateMs, ...job }) => ({
    ...job,
    catchUpWindowMs: catchUpWindow ?? catchUpWindowMs ?? null,
    lateMs: late ?? lateMs ?? null,
  }))
  .transform(({ timeout, timeoutMs, grace, graceMs, ...job }) => ({
    ...job,
    timeoutMs: timeout ?? timeoutMs ?? null,
    graceMs: graceOf({ grace, graceMs }),
  }))
  .meta({ id: 'Job', description: 'What runs: when, where and how.' });
export type Job = z.infer<typeof jobSchema>;
export type JobInput = z.input<typeof jobSchema>;

type Reshaped = 'timeoutMs' | 'graceMs' | 'output' | 'catchUpWindowMs' | 'lateMs' | 'retries';

/** A job as the API shows it; can be sent back as it is. */
export interface JobView extends Omit<Job, Reshaped | 'retention' | 'schedule'> {
  readonly timeout: string | null;
  readonly grace: string;
  readonly output: { readonly limit: string; readonly onLimit: 'truncate' | 'kill' };
  readonly schedule: ScheduleView | null;
  readonly catchUpWindow: string | null;
  readonly late: string | null;
  readonly retention: RetentionView | null;
  readonly retries: Omit<Job['retries'], 'delayMs' | 'maxDelayMs'> & {
    readonly delay: string;
    readonly maxDelay: string;
  };
}

/** The next instants of a job's schedule. While the job is paused they will be skipped. */
export interface NextInstants {
  readonly job: string;
  readonly paused: boolean;
  readonly items: readonly string[];
}

/** One try of a run on one agent. Times are ISO 8601. */
export interface Attempt {
  readonly number: number;
  readonly agent: string;
  /** The term under which it was ordered. */
  readonly term: string;
  readonly state:
    | 'dispatched'
    | 'running'
    | 'succeeded'
    | 'failed'
    | 'timed-out'
    | 'cancelled'
    | 'lost';
  readonly orderedAt: string;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly reason: string | null;
}

/** A run as the API shows it. */
export interface Run {
  readonly id: string;
  readonly job: string;
  readonly state: RunState;
  readonly scheduledFor: string | null;
  readonly createdAt: string;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  readonly exitCode: number | null;
  readonly reason: string | null;
  readonly agent: string | null;
  /** The term under which it last changed. */
  readonly term: string;
  /** The run that this one repeats, when somebody asked for that. */
  readonly retryOf: string | null;
  /** The run whose end this one follows. */
  readonly causedBy: string | null;
  /** The one agent on which it may run, of a job that runs on every agent. */
  readonly target: string | null;
  /** What the runs of one order to every agent have in common. */
  readonly batch: string | null;
  /** When it was noticed that it had not started in time. */
  readonly lateAt: string | null;
  readonly parameters: Readonly<Record<string, string>>;
  readonly attempts: readonly Attempt[];
  readonly logBytes: number;
}

/** The key by which a request that is sent again is known: the same run is the answer. */
export const idempotencyKeySchema = z
  .string()
  .regex(/^[\x21-\x7e]{1,255}$/, 'expected 1 to 255 visible ASCII characters');

/** Many runs in one request; each item is checked by itself. */
export const bulkSchema = z.strictObject({ runs: z.array(z.unknown()).min(1).max(10_000) });
export const bulkItemSchema = z.strictObject({
  job: nameSchema,
  parameters: givenParametersSchema.default({}),
  idempotencyKey: idempotencyKeySchema.nullable().default(null),
});
export type BulkRequest = { readonly runs: readonly z.input<typeof bulkItemSchema>[] };

/** What became of one item of a bulk request. `existing`: the run of an earlier request with the same key. */
export type BulkItem =
  | { readonly outcome: 'created' | 'existing'; readonly id: string }
  | {
      readonly outcome: 'refused';
      readonly error: { readonly code: string; readonly message: string };
    };

/** The answer to a bulk request, in the order of its items. */
export interface BulkAnswer {
  readonly items: readonly BulkItem[];
}

/** An agent as the API shows it. */
export interface AgentView {
  readonly id: string;
  readonly state: 'connected' | 'disconnected' | 'lost';
  readonly draining: boolean;
  /** Until then what runs on it may go on; null: as long as it likes. */
  readonly drainUntil: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly slots: number;
  readonly running: number;
  readonly version: string;
  readonly lastSeenAt: string;
}

/** What an order of a job that runs on every agent came to: a run for each agent that was there. */
export interface RunBatch {
  readonly batch: string | null;
  readonly items: readonly Run[];
}

/** What a backfill came to: the runs that it made, and for how many instants there were some already. */
export interface BackfillAnswer {
  readonly created: readonly string[];
  readonly existing: number;
}

/** Something that became of a run, in the order in which it did. */
export interface RunStep {
  readonly at: string;
  /** The term under which it was decided or taken in; null where that is not on record. */
  readonly term: string | null;
  readonly what: string;
  readonly attempt: number | null;
  readonly agent: string | null;
  readonly message: string;
}

/** The pair as its active controller sees it. */
export interface PairView {
  readonly pair: string;
  readonly node: string;
  readonly term: string;
  /** When this tenure began to serve. */
  readonly since: string;
  /** Whether changes can be committed at this moment. */
  readonly store: 'connected' | 'away';
  /** The store is away, and this controller goes on by the consent of its peers. */
  readonly failsafe: boolean;
  readonly agents: Readonly<Record<AgentView['state'], number>>;
  /** Runs that are not over, by state. */
  readonly runs: Readonly<Record<'queued' | 'dispatched' | 'running', number>>;
}

/** One thing that happened, newest with the highest `seq`. */
export interface EventView {
  readonly seq: string;
  readonly at: string;
  readonly term: string;
  readonly kind: string;
  readonly subject: string | null;
  readonly message: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

/** The one shape of an error answer. `details` names fields, values and what is expected. */
export interface ErrorBody {
  readonly error: { readonly code: string; readonly message: string; readonly details?: unknown };
}

/** One page of a list; `next` is the cursor for `?after=`, null on the last page. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}
