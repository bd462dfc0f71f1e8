import Router from '@koa/router';
import { parseDurationMs } from '@understudy/shared/kernel/duration';
import { formatTerm } from '@understudy/shared/kernel/term';
import { nameSchema } from '@understudy/shared/protocol/api';
import { type EventPlace, eventPlace, type PairEvents } from '@understudy/shared/protocol/events';
import { isSameSecret } from '@understudy/shared/runtime/secret';
import type Koa from 'koa';
import { z } from 'zod';
import type { Operator, PauseResult, SwitchOverResult } from '../operator.ts';
import { answerError } from './answer.ts';
import { readBody } from './body.ts';

export interface OperatorRoutesOptions {
  readonly token: string;
  readonly node: string;
  /** Whether this node is active and serves. */
  readonly isActive: () => boolean;
  readonly events: (after: EventPlace | null, limit: number) => Promise<PairEvents>;
  /** Null while the heartbeat is still starting. */
  readonly operator: () => Operator | null;
}

const DAY_MS = 86_400_000;
const DEFAULT_PAUSE_MS = 1_800_000;
const BODY_LIMIT_BYTES = 16_384;

const eventsSchema = z.object({
  after: z
    .string()
    .transform((text, context) => {
      const place = eventPlace(text);
      if (place !== null) return place;
      context.addIssue({ code: 'custom', message: 'expected the id of an event' });
      return z.NEVER;
    })
    .optional(),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
});

const switchOverSchema = z.strictObject({
  to: nameSchema.nullish(),
  force: z.boolean().optional(),
});

const pauseSchema = z
  .strictObject({
    forMs: z
      .number()
      .int()
      .min(1_000)
      .max(7 * DAY_MS)
      .optional(),
    for: z
      .string()
      .refine((text) => isPauseLength(parseDurationMs(text)), 'expected a duration from 1s to 7d')
      .optional(),
  })
  .refine(
    (body) => body.forMs === undefined || body.for === undefined,
    'expected forMs or for, not both',
  );

const changeSchema = z.strictObject({ change: z.enum(['MAIN', 'BACKUP']) });

/**
 * What an operator may see and ask. Every route needs the pair's token. What is refused changes nothing
 * and is answered with 409, a code and the reason.
 */
export function makeOperatorRouter(options: OperatorRoutesOptions): Router {
  const router = new Router();
  router.use(['/events', '/switchover', '/pause', '/resume'], requireToken(options, 'Bearer'));
  router.use('/rest/ha/status', requireToken(options, 'token'));

  router.get('/events', async (context) => {
    const query = check(context, eventsSchema, context.query);
    if (query === null) return;
    context.body = await options.events(query.after ?? null, query.limit);
  });
  router.post('/switchover', async (context) => {
    const body = await checkedBody(context, switchOverSchema);
    const operator = body === null ? null : operatorFor(context, options);
    if (body === null || operator === null) return;
    if (body.force !== true) {
      return answerSwitchOver(context, await operator.switchOver(body.to ?? null));
    }
    // Whoever uses force says for which node, and says it to that node: nobody is asked to pass it on.
    if (body.to !== options.node) {
      return answerError(context, 400, 'bad-request', `to: expected ${options.node} with force`);
    }
    answerSwitchOver(context, await operator.force());
  });
  router.post('/pause', async (context) => {
    const body = await checkedBody(context, pauseSchema);
    const operator = body === null ? null : operatorFor(context, options);
    if (body === null || operator === null) return;
    const forMs = body.forMs ?? parseDurationMs(body.for ?? '') ?? DEFAULT_PAUSE_MS;
    answerPause(context, await operator.pause(forMs));
  });
  router.post('/resume', async (context) => {
    const operator = operatorFor(context, options);
    if (operator !== null) answerPause(context, await operator.pause(null));
  });
  router.get('/rest/ha/status', (context) => {
    context.body = roleWord(options);
  });
  router.post('/rest/ha/status', async (context) => {
    const query = check(context, changeSchema, context.query);
    const operator = query === null ? null : operatorFor(context, options);
    if (query === null || operator === null) return;
    if (roleWord(options) !== query.change) {
      const result = await (query.change === 'MAIN'
        ? operator.switchOver(options.node)
        : operator.stepDown());
      if (result.kind === 'refused') return answerSwitchOver(context, result);
    }
    context.body = query.change;
  });
  return router;
}

/** The words of an older generation of tools. */
function roleWord({ isActive }: OperatorRoutesOptions): 'MAIN' | 'BACKUP' {
  return isActive() ? 'MAIN' : 'BACKUP';
}

function requireToken({ token }: OperatorRoutesOptions, scheme: string): Koa.Middleware {
  return (context, next) => {
    const [, given, secret = ''] = /^(\S+) (.+)$/.exec(context.get('authorization')) ?? [];
    if (given === scheme && isSameSecret(token, secret)) return next();
    const expected = `expected the header Authorization: ${scheme} and the token of this pair`;
    return answerError(context, 401, 'unauthorized', expected);
  };
}

function operatorFor(context: Koa.Context, options: OperatorRoutesOptions): Operator | null {
  const operator = options.operator();
  if (operator === null) {
    answerError(context, 503, 'starting', 'the heartbeat is still starting; try again');
  }
  return operator;
}

function answerSwitchOver(context: Koa.Context, result: SwitchOverResult): void {
  if (result.kind === 'refused') return answerError(context, 409, result.why, result.reason);
  const { from, to, term, interruptedMs } = result;
  const rounded = interruptedMs === null ? null : Math.round(interruptedMs * 10) / 10;
  context.body = { from, to, term: formatTerm(term), interruptedMs: rounded };
}

function answerPause(context: Koa.Context, result: PauseResult): void {
  if (result.kind === 'refused') return answerError(context, 409, result.why, result.reason);
  context.body = { pausedForMs: result.forMs };
}

async function checkedBody<T extends z.ZodType>(
  context: Koa.Context,
  schema: T,
): Promise<z.output<T> | null> {
  const read = await readBody(context.req, BODY_LIMIT_BYTES);
  if (read === 'too-large' || read === 'too-slow') {
    context.set('connection', 'close');
    if (read === 'too-large') answerError(context, 413, read, 'the body is too large');
    else answerError(context, 408, read, 'the body came too slowly');
    return null;
  }
  const json = parseJson(read.text);
  if (json !== undefined) return check(context, schema, json);
  answerError(context, 400, 'bad-request', 'the body is not JSON');
  return null;
}

/** No body at all counts as an empty object; undefined when it is no JSON. */
function parseJson(text: string): unknown {
  if (text.trim() === '') return {};
  try {
    return JSON.parse(text);
  } catch {
    // The sender is told.
    return undefined;
  }
}

function check<T extends z.ZodType>(
  context: Koa.Context,
  schema: T,
  value: unknown,
): z.output<T> | null {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(
    (each) => `${each.path.join('.') || 'it'}: ${each.message}`,
  );
  answerError(context, 400, 'bad-request', issues.slice(0, 10).join('; '));
  return null;
}

function isPauseLength(ms: number | null): boolean {
  return ms !== null && ms >= 1_000 && ms <= 7 * DAY_MS;
}
