import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type Koa from 'koa';
import type { Callers } from '../security/callers.ts';
import type { Caller } from '../security/roles.ts';
import type { TenureContext } from '../work/context.ts';
import { Refusal } from '../work/refusal.ts';
import type { Gate } from './gate.ts';

export interface AdmissionParts {
  readonly context: Pick<TenureContext, 'guard' | 'clock'>;
  readonly callers: Callers;
  readonly gate: Pick<Gate, 'letGo'>;
  /** Answered to everybody: they tell nothing about work. */
  readonly openPaths: ReadonlySet<string>;
}

/** Who was let in, and when (milliseconds since 1970). */
export interface Admission {
  readonly caller: Caller;
  readonly at: number;
}

/**
 * Lets a request in while this controller may act for its term, and only with a token that is valid here;
 * whether its role suffices is looked at by the route. Looks again before a success is answered: the answer
 * must not claim what another active may know better.
 */
export function admit({ context: tenure, ...parts }: AdmissionParts): Koa.Middleware {
  const { guard, clock } = tenure;
  return async (context, next) => {
    if (!guard.mayAct()) throw notActive();
    if (!parts.openPaths.has(context.path)) {
      const caller = identify(context, parts.callers);
      const admission: Admission = { caller, at: Math.round(clock.wallMs()) };
      context.state['admission'] = admission;
    }
    await next();
    // Somebody else answers it.
    if (context.respond === false) return;
    if (context.status < 400 && !guard.mayAct()) throw notActive();
    if (!(context.body instanceof Readable)) return;
    // A long answer begins now, in the moment in which it was allowed, whenever its first bytes come.
    context.res.flushHeaders();
    parts.gate.letGo(context.res);
    endWithCaller(context.res, admittedOf(context)?.caller);
  };
}

const MOST_LISTENERS = 20;

/** What was opened with a token ends with it. */
export function endWithCaller(response: ServerResponse, caller: Caller | undefined): void {
  const over = caller?.over ?? null;
  if (over === null) return;
  const end = () => response.destroy();
  // Many parts look at the end of a long answer.
  response.setMaxListeners(MOST_LISTENERS);
  over.addEventListener('abort', end);
  response.once('close', () => over.removeEventListener('abort', end));
  if (over.aborted) end();
}

/** How a request was let in; undefined: it was not, or nobody asked. */
export function admittedOf({ state }: Pick<Koa.Context, 'state'>): Admission | undefined {
  return state['admission'] as Admission | undefined;
}

/** The same where a token is needed. */
export function admissionOf(context: Pick<Koa.Context, 'state'>): Admission {
  const admission = admittedOf(context);
  if (admission === undefined) throw new Error('a route that needs a role is open to everybody');
  return admission;
}

/** Who sends the request. */
export function callerOf(context: Pick<Koa.Context, 'state'>): Caller {
  return admissionOf(context).caller;
}

export function notActive(): Refusal {
  return new Refusal('not-active', 'this controller may not act at the moment; try again');
}

/** The token that a request shows; empty: none. */
export function tokenIn(authorization: string): string {
  return /^Bearer (.+)$/.exec(authorization)?.[1] ?? '';
}

function identify(context: Koa.Context, callers: Callers): Caller {
  const given = tokenIn(context.get('authorization'));
  const caller = given === '' ? null : callers.identify(given);
  if (caller !== null) return caller;
  context.set('WWW-Authenticate', 'Bearer');
  const message =
    given === ''
      ? 'a token is needed: send `Authorization: Bearer TOKEN`'
      : 'this token is not valid here';
  throw new Refusal('unauthorized', message);
}
