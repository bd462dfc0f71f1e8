import { z } from 'zod';
import { nameSchema } from './api.ts';
import { DAY_MS, durationSchema } from './forms.ts';

/** What a web hook can be told of. */
export const hookEvents = [
  'run.failed',
  'run.timed-out',
  'run.lost',
  'run.late',
  'agent.lost',
  'pair.failover',
] as const;
export type HookEvent = (typeof hookEvents)[number];

const MAX_JOBS = 1_000;

const urlSchema = z
  .string()
  .max(2_000)
  .regex(/^[\x21-\x7e]+$/, 'expected a URL in visible ASCII characters')
  .refine(isPlainUrl, 'expected an http or https URL without user and password');

/** Who is told of what. Parsed, its durations are milliseconds. */
export const hookSchema = z.strictObject({
  url: urlSchema,
  events: z
    .array(z.enum(hookEvents))
    .min(1)
    .transform((events) => [...new Set(events)]),
  /** Of runs of these jobs only; null: of all. What is not about a run is told anyway. */
  jobs: z.array(nameSchema).min(1).max(MAX_JOBS).nullable().default(null),
  /** Signs what is sent. Left out: the one there was stays. Null: none. */
  secret: z
    .string()
    .regex(/^[\x21-\x7e]{8,256}$/, 'expected 8 to 256 visible ASCII characters')
    .nullable()
    .optional(),
  /** How long one try may take. */
  timeout: durationSchema(100, 60_000).default(10_000),
  /** Tried again for so long. */
  giveUpAfter: durationSchema(1_000, 30 * DAY_MS).default(DAY_MS),
});
export type Hook = z.infer<typeof hookSchema>;
export type HookInput = z.input<typeof hookSchema>;

/** A hook as the API shows it: never its secret. */
export interface HookView {
  readonly name: string;
  readonly url: string;
  readonly events: readonly HookEvent[];
  readonly jobs: readonly string[] | null;
  /** It has a secret. */
  readonly signed: boolean;
  readonly timeout: string;
  readonly giveUpAfter: string;
  readonly createdAt: string;
  readonly updatedAt: string;
}

export const deliveryStates = ['pending', 'delivered', 'given-up'] as const;
export type DeliveryState = (typeof deliveryStates)[number];

/** One thing that a hook is told, as the API shows it. */
export interface DeliveryView {
  /** Stands in the `Understudy-Delivery` header: the same each time it is sent. */
  readonly id: string;
  readonly event: HookEvent;
  /** The id of a run, an agent or a node. */
  readonly subject: string | null;
  readonly state: DeliveryState;
  readonly createdAt: string;
  /** How often it was tried. */
  readonly attempts: number;
  /** When it is tried next; null once it is over. */
  readonly dueAt: string | null;
  readonly finishedAt: string | null;
  /** The HTTP status of the last answer; null: there was none. */
  readonly status: number | null;
  /** Why the last try failed. */
  readonly problem: string | null;
}

const instant = z.iso.datetime().describe('an instant, ISO 8601, UTC');

export const hookViewSchema: z.ZodType<HookView> = z
  .object({
    name: nameSchema,
    url: z.string(),
    events: z.array(z.enum(hookEvents)),
    jobs: z.array(nameSchema).nullable(),
    signed: z.boolean(),
    timeout: z.string(),
    giveUpAfter: z.string(),
    createdAt: instant,
    updatedAt: instant,
  })
  .meta({ id: 'Hook', description: 'Who is told of what.' });

export const deliveryViewSchema: z.ZodType<DeliveryView> = z
  .object({
    id: z.uuid(),
    event: z.enum(hookEvents),
    subject: z.string().nullable(),
    state: z.enum(deliveryStates),
    createdAt: instant,
    attempts: z.number().int().min(0),
    dueAt: instant.nullable(),
    finishedAt: instant.nullable(),
    status: z.number().int().nullable(),
    problem: z.string().nullable(),
  })
  .meta({ id: 'Delivery', description: 'One thing that a hook is told.' });

/** What is sent to a hook, as JSON. */
export interface Notice {
  readonly id: string;
  readonly event: HookEvent;
  readonly pair: string;
  readonly at: string;
  readonly term: string;
  readonly subject: string | null;
  /** For people. */
  readonly message: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

function isPlainUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  return /^https?:$/.test(protocol) && username === '' && password === '';
}
