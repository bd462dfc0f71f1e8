import { z } from 'zod';

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

/** A job as users write it. Durations are milliseconds here; the command line accepts `2s`. */
export const jobSchema = z.strictObject({
  name: nameSchema,
  description: text(1_000).default(''),
  command: z.array(text(65_536)).min(1).max(1_000),
  env: parametersSchema.default({}),
  schedule: z
    .strictObject({ cron: text(200), timezone: text(100).default('UTC') })
    .nullable()
    .default(null),
  selector: labelsSchema.default({}),
  delivery: z.enum(['at-most-once', 'at-least-once']).default('at-most-once'),
  retries: z
    .strictObject({
      limit: z.number().int().min(0).max(1_000).default(0),
      delayMs: z.number().int().min(0).max(86_400_000).default(1_000),
      backoff: z.number().min(1).max(10).default(1),
    })
    .default({ limit: 0, delayMs: 1_000, backoff: 1 }),
  timeoutMs: z.number().int().min(1).max(2_147_483_647).nullable().default(null),
  overlap: z.enum(['skip', 'queue', 'allow', 'replace']).default('allow'),
  catchUp: z.enum(['none', 'latest', 'all']).default('latest'),
  priority: z.number().int().min(-1_000).max(1_000).default(0),
  paused: z.boolean().default(false),
});
export type Job = z.infer<typeof jobSchema>;
export type JobInput = z.input<typeof jobSchema>;

/** One try of a run on one agent. Times are ISO 8601. */
export interface Attempt {
  readonly number: number;
  readonly agent: string;
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
  readonly term: string;
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

/** The one shape of an error answer. `details` names fields, values and what is expected. */
export interface ErrorBody {
  readonly error: { readonly code: string; readonly message: string; readonly details?: unknown };
}

/** One page of a list; `next` is the cursor for `?after=`, null on the last page. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}
