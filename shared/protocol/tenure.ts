import { z } from 'zod';
import { MAX_HEARD_TERM, parseTerm } from '../kernel/term.ts';

/** A term as it travels: a decimal string, parsed to a bigint. */
export const termSchema = z.string().transform((text, context) => {
  const term = parseTerm(text);
  if (term === null) {
    context.addIssue({ code: 'custom', message: 'expected a term: a whole number as a string' });
    return z.NEVER;
  }
  return term;
});

/** The highest term that somebody else has seen. What is above `MAX_HEARD_TERM` counts as that. */
export const heardTermSchema = termSchema.transform((term) =>
  term < MAX_HEARD_TERM ? term : MAX_HEARD_TERM,
);

/** A point on the monotonic clock of this host (`process.hrtime.bigint()`), nanoseconds, as a string. */
const monotonicNsSchema = z
  .string()
  .regex(/^\d{1,19}$/)
  .transform((text) => BigInt(text));

/**
 * The tenure as the heartbeat hands it to its child: the term, and the absolute monotonic instant
 * (nanoseconds, valid for every process of this host) up to which the child may act for that term.
 */
export const tenureSchema = z.object({
  term: termSchema,
  trustedUntilNs: monotonicNsSchema,
  /** Wall clock minus monotonic clock when trust was last checked: a suspension since then shows. */
  clockOffsetMs: z.number().optional(),
});
export type Tenure = z.infer<typeof tenureSchema>;

/**
 * What the heartbeat tells its controller over the IPC channel. `configure` comes first and carries
 * the effective configuration. `activate` and `extend` carry a tenure; `failsafe`: it rests on the peers'
 * consent, the store is away. `deactivate` asks for a clean end: close the port, answer what is under way,
 * exit 0 within `graceMs`.
 *
 * Of a switch-over: `hold` asks it to park every new request, stop ordering and scheduling, and finish what
 * is under way, within `forMs`; answered by `held` or `holdFailed`. From `held` on it may not write, until
 * `resume` calls the switch-over off. `forward`: its tenure was handed over; what it parked and what still
 * arrives goes to the controller at `to`, for `forMs`, and it may never act again.
 */
export const toControllerSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('configure'), config: z.unknown() }),
  z.object({ type: z.literal('activate'), tenure: tenureSchema }),
  z.object({ type: z.literal('extend'), tenure: tenureSchema, failsafe: z.boolean().optional() }),
  z.object({ type: z.literal('probe'), seq: z.number().int() }),
  z.object({ type: z.literal('deactivate'), graceMs: z.number() }),
  z.object({ type: z.literal('hold'), forMs: z.number(), seq: z.number().int().default(0) }),
  z.object({ type: z.literal('resume') }),
  z.object({ type: z.literal('forward'), to: z.string(), forMs: z.number() }),
]);
/** As it is sent: terms and instants are strings. */
export type ToController = z.input<typeof toControllerSchema>;

/**
 * What the controller tells its heartbeat. `ready`: warm, port closed, could be activated at once.
 * `notReady`: running but not able to take over now, with the reasons. `listening`: the port is open under that
 * term, and who comes waits. `serving`: all are answered under that term. `probed` answers a probe: `healthy` is
 * false when, for instance, the scheduler has not ticked. `higherTerm`: somebody showed a term above our own.
 * `held`: nothing is under way and nothing is written any more, in answer to the `hold` of that `seq`;
 * `holdFailed`: something could not be finished in time, and it serves on as before. `ending`: it is about to exit.
 */
export const fromControllerSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ready') }),
  z.object({ type: z.literal('notReady'), reasons: z.array(z.string()) }),
  z.object({ type: z.literal('listening'), term: termSchema }),
  z.object({ type: z.literal('serving'), term: termSchema }),
  z.object({
    type: z.literal('probed'),
    seq: z.number().int(),
    healthy: z.boolean(),
    problems: z.array(z.string()),
  }),
  z.object({ type: z.literal('higherTerm'), term: termSchema }),
  z.object({ type: z.literal('held'), seq: z.number().int().default(0) }),
  z.object({
    type: z.literal('holdFailed'),
    reason: z.string(),
    seq: z.number().int().default(0),
  }),
  z.object({ type: z.literal('ending'), reason: z.string() }),
]);
export type FromController = z.input<typeof fromControllerSchema>;
export type FromControllerParsed = z.infer<typeof fromControllerSchema>;

/** The header of `/readyz` that says why a controller is not ready. */
export const UNREADY_HEADER = 'understudy-not-ready';
/** The header of an answer to HEAD that says how many connections a controller has taken so far. */
export const TAKEN_HEADER = 'understudy-taken';
