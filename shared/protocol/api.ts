import { z } from 'zod';
import { formatDurationMs, parseDurationMs } from '../kernel/duration.ts';

/** Names of jobs, agents, nodes, pairs and labels: safe in URLs, logs, file names and metrics. */
export const nameSchema = z
  .string()
  .min(1)
  .max(128)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'expected letters, digits, dot, dash, underscore');

const text = (max: number) =>
  z
    .string()
    .max(max)
    .refine((value) => !value.includes('\0'), 'must not contain NUL');

export const labelsSchema = z.record(nameSchema, text(256));
export const parametersSchema = z.record(
  z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'expected the form of a variable name'),
  text(65_536),
);

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

/** A duration as users write it: `250ms`, `30s`, `10m`, or milliseconds as a number. Parsed to milliseconds. */
const durationSchema = (minMs: number, maxMs: number) =>
  z.union([z.string(), z.number()]).transform((value, context) => {
    const ms = typeof value === 'number' ? value : parseDurationMs(value);
    if (ms !== null && Number.isInteger(ms) && ms >= minMs && ms <= maxMs) return ms;
    const range = `${formatDurationMs(minMs)} to ${formatDurationMs(maxMs)}`;
    context.addIssue({
      code: 'custom',
      message: `expected a duration like 250ms, 2s or 10m, or milliseconds as a number; ${range}`,
    });
    return z.NEVER;
  });

const DAY_MS = 86_400_000;
const timeoutSchema = durationSchema(1, 2_147_483_647);
const delaySchema = durationSchema(0, DAY_MS);

/** `delayMs` is another way to write `delay`. */
const retriesSchema = z
  .strictObject({
    limit: z.number().int().min(0).max(1_000).default(0),
    delay: delaySchema.optional(),
    delayMs: delaySchema.optional(),
    backoff: z.number().min(1).max(10).default(1),
  })
  .transform(({ delay, delayMs, ...retries }) => ({
    ...retries,
    delayMs: delay ?? delayMs ?? 1_000,
  }));

/** A job as users write it. Parsed, its durations are milliseconds. `timeoutMs` is another way to write `timeout`. */
export const jobSchema = z
  .strictObject({
    name: nameSchema,
    description: text(1_000).default(''),
    command: z.array(text(65_536)).min(1).max(1_000),
    http: z
      .undefined({ error: 'http jobs are not available in this version; use command' })
      .optional(),
    env: parametersSchema.default({}),
    schedule: z
      .strictObject({ cron: text(200), timezone: text(100).default('UTC') })
      .nullable()
      .default(null),
    selector: labelsSchema.default({}),
    delivery: z.enum(['at-most-once', 'at-least-once']).default('at-most-once'),
    retries: retriesSchema.default({ limit: 0, delayMs: 1_000, backoff: 1 }),
    timeout: timeoutSchema.nullable().optional(),
    timeoutMs: timeoutSchema.nullable().optional(),
    overlap: z.enum(['skip', 'queue', 'allow', 'replace']).default('allow'),
    catchUp: z.enum(['none', 'latest', 'all']).default('latest'),
    priority: z.number().int().min(-1_000).max(1_000).default(0),
    paused: z.boolean().default(false),
  })
  .transform(({ timeout, timeoutMs, http: _, ...job }) => ({
    ...job,
    timeoutMs: timeout ?? timeoutMs ?? null,
  }));
export type Job = z.infer<typeof jobSchema>;
export type JobInput = z.input<typeof jobSchema>;

/** A job as the API shows it; can be sent back as it is. */
export interface JobView extends Omit<Job, 'timeoutMs' | 'retries'> {
  readonly timeout: string | null;
  readonly retries: { readonly limit: number; readonly delay: string; readonly backoff: number };
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
  readonly parameters: Readonly<Record<string, string>>;
  readonly attempts: readonly Attempt[];
  readonly logBytes: number;
}

/** An agent as the API shows it. */
export interface AgentView {
  readonly id: string;
  readonly state: 'connected' | 'disconnected' | 'lost';
  readonly draining: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly slots: number;
  readonly running: number;
  readonly version: string;
  readonly lastSeenAt: string;
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
