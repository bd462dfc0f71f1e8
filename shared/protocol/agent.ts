import { z } from 'zod';
import { actionKinds, actionWire, kindsOf, mannerWire } from './action.ts';
import { labelsSchema, nameSchema } from './api.ts';
import { heardTermSchema, termSchema } from './tenure.ts';

/**
 * What travels between a controller and the workers of the agents. All requests come from the worker:
 *
 *   POST /agent/v1/register   a worker introduces itself and says what it runs
 *   GET  /agent/v1/orders     Server-Sent Events: orders and signs of life, one stream per worker;
 *                             `?agent=NAME&incarnation=UUID&session=N` says whose
 *   POST /agent/v1/reports    a batch of reports; acknowledged once committed
 *
 * Every message of a controller carries its term; a worker refuses orders below the highest term that
 * it has seen, and a controller that is shown a higher term steps down.
 */

/** A place in an attempt's output. Sums of two such numbers are still exact. */
const logPlace = z
  .number()
  .int()
  .min(0)
  .max(2 ** 50);

const attemptKey = { run: z.uuid(), attempt: z.number().int().min(1) };

export const registerSchema = z.object({
  agent: nameSchema,
  incarnation: z.uuid(),
  version: z.string().max(64),
  labels: labelsSchema,
  slots: z.number().int().min(0).max(10_000),
  highestTerm: heardTermSchema,
  /**
   * Names the journal on the agent's disk; another name means that it was lost or damaged. While the name
   * stays, an attempt that the worker does not know was certainly never started by it.
   */
  journal: z.uuid().nullable().default(null),
  /**
   * Rises with each registration of one incarnation, so that one which was delayed on its way is known
   * when it arrives after a newer one. 0: not numbered.
   */
  session: z.number().int().min(0).default(0),
  /** What it can do beyond commands. It is ordered nothing that needs an ability which it does not name. */
  abilities: z.array(z.string().max(64)).max(100).default([]),
  /** Attempts that this worker runs, or whose end it has not got acknowledged yet. */
  attempts: z.array(z.object({ ...attemptKey, state: z.enum(['running', 'ended']) })).max(100_000),
});
export type Register = z.infer<typeof registerSchema>;
export type RegisterWire = z.input<typeof registerSchema>;

export const registeredSchema = z.object({
  term: termSchema,
  node: z.string(),
  /** A sign of life comes at least this often on the order stream. */
  beatEveryMs: z.number().min(1).max(86_400_000),
  /**
   * An agent that is away for so long is called lost, with its at-most-once attempts: it ends them before.
   * Null: an older controller did not say.
   */
  lostAfterMs: z.number().min(1).nullable().default(null),
  /**
   * So often is a worker with nothing under way to give a sign of life. Null: an older controller did not say,
   * and expects it as often as of one that works.
   */
  idleSignEveryMs: z.number().min(1).nullable().default(null),
  /** Attempts the controller does not want (their run is over): end them and forget their reports. */
  unwanted: z.array(z.object(attemptKey)),
});
export type Registered = z.infer<typeof registeredSchema>;
export type RegisteredWire = z.input<typeof registeredSchema>;

/** The abilities of a worker of this version: beyond commands, and what an older one would pass over. */
export const workerAbilities = ['shell', 'http', 'module', 'cwd', 'user', 'secrets'] as const;
export type WorkerAbility = (typeof workerAbilities)[number];

/** The `data` of an event on the order stream; the event's name equals `type`. */
export const orderSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('hello'), term: termSchema, node: z.string() }),
  z.object({ type: z.literal('beat'), term: termSchema }),
  z
    .object({
      type: z.literal('start'),
      term: termSchema,
      ...attemptKey,
      job: z.string(),
      ...actionWire,
      ...mannerWire,
      /** The job's environment and the run's parameters, parameters winning. */
      env: z.record(z.string(), z.string()),
      /** More environment, which is written down nowhere: no journal, no log. */
      secrets: z.record(z.string(), z.string()).optional(),
      /** The run's parameters alone, for a module. */
      parameters: z.record(z.string(), z.string()).default({}),
      scheduledFor: z.string().nullable(),
      timeoutMs: z.number().int().min(1).max(2_147_483_647).nullable(),
      delivery: z.enum(['at-most-once', 'at-least-once']),
    })
    .refine((order) => kindsOf(order).length === 1, `expected one of ${actionKinds.join(', ')}`),
  z.object({ type: z.literal('cancel'), term: termSchema, ...attemptKey, reason: z.string() }),
  /** This controller stops being active: look for the next one now. `next` is its URL when known. */
  z.object({ type: z.literal('leave'), term: termSchema, next: z.string().nullable() }),
]);
export type Order = z.infer<typeof orderSchema>;
export type StartOrder = Extract<Order, { type: 'start' }>;
export type OrderWire = z.input<typeof orderSchema>;

/** What an order to start must have for a worker that does not understand the rest to refuse it. */
export const startKeySchema = z.object({
  type: z.literal('start'),
  term: termSchema,
  ...attemptKey,
});

/** Times are given as "this long before this request was sent", so that an agent's wall clock does not matter. */
const agoMs = z.number().min(0).max(1e12);

/** For people; longer ones are cut. */
const reason = z.string().transform((text) => text.slice(0, 4_000));

export const reportSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('started'), ...attemptKey, agoMs, pid: z.number().int() }),
  z.object({
    type: z.literal('log'),
    ...attemptKey,
    /** Where in the attempt's output these bytes begin. */
    offset: logPlace,
    /** base64 */
    data: z.string(),
  }),
  z.object({
    type: z.literal('ended'),
    ...attemptKey,
    agoMs,
    /** `exited` with a code; `lost`: the worker's own life ended under it, nobody knows how it went. */
    outcome: z.enum(['exited', 'signalled', 'timed-out', 'cancelled', 'not-started', 'lost']),
    exitCode: z.number().int().min(-2_147_483_648).max(2_147_483_647).nullable(),
    signal: z.string().max(32).nullable(),
    reason: reason.nullable(),
    /** Length of the attempt's whole output; the end is stored only after all of it. */
    logBytes: logPlace,
  }),
  /** The order was not carried out and never will be. */
  z.object({
    type: z.literal('refused'),
    ...attemptKey,
    reason: z.enum(['stale-term', 'no-slot', 'draining', 'giving-up', 'not-understood']),
  }),
]);
export type Report = z.infer<typeof reportSchema>;

export const reportsSchema = z.object({
  agent: nameSchema,
  incarnation: z.uuid(),
  highestTerm: heardTermSchema,
  /** `seq` rises by one with each report of an agent's spool; only for matching the answer. */
  reports: z.array(z.object({ seq: z.number().int().min(1), report: reportSchema })).max(5_000),
});
export type Reports = z.infer<typeof reportsSchema>;
export type ReportsWire = z.input<typeof reportsSchema>;

/** The answer to a batch: all of it is committed up to and including `acknowledged`. */
export const reportsAnswerSchema = z.object({ term: termSchema, acknowledged: z.number().int() });
export type ReportsAnswer = z.infer<typeof reportsAnswerSchema>;
export type ReportsAnswerWire = z.input<typeof reportsAnswerSchema>;

/**
 * Error codes of these routes. `unknown-agent`: register first (409). `duplicate-agent`: another live
 * incarnation holds the id (409). `stale-term`: you have seen a higher term than mine (409).
 */
export const agentErrorCodes = ['unknown-agent', 'duplicate-agent', 'stale-term'] as const;
