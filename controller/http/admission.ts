import { Readable } from 'node:stream';
import { isSameSecret } from '@understudy/shared/runtime/secret';
import type Koa from 'koa';
import type { TenureContext } from '../work/context.ts';
import { Refusal } from '../work/refusal.ts';
import type { Gate } from './gate.ts';

/** Answered to everybody: they tell nothing about work. */
const OPEN_PATHS = new Set(['/', '/healthz', '/readyz', '/metrics']);

/**
 * Lets a request in while this controller may act for its term, and only with the token. Looks again
 * before a success is answered: the answer must not claim what another active may know better.
 */
export function admit(parts: {
  readonly context: TenureContext;
  readonly token: string;
  readonly gate: Pick<Gate, 'letGo'>;
}): Koa.Middleware {
  const { guard } = parts.context;
  return async (context, next) => {
    if (!guard.mayAct()) throw notActive();
    if (!OPEN_PATHS.has(context.path)) checkToken(context, parts.token);
    await next();
    // Somebody else answers it.
    if (context.respond === false) return;
    if (context.status < 400 && !guard.mayAct()) throw notActive();
    if (!(context.body instanceof Readable)) return;
    // A long answer begins now, in the moment in which it was allowed, whenever its first bytes come.
    context.res.flushHeaders();
    parts.gate.letGo(context.res);
  };
}

function notActive(): Refusal {
  return new Refusal('not-active', 'this controller may not act at the moment; try again');
}

function checkToken(context: Koa.Context, token: string): void {
  const given = /^Bearer (.+)$/.exec(context.get('authorization'))?.[1] ?? '';
  if (isSameSecret(token, given)) return;
  context.set('WWW-Authenticate', 'Bearer');
  const message =
    given === ''
      ? 'a token is needed: send `Authorization: Bearer TOKEN`'
      : 'this token is not valid here';
  throw new Refusal('unauthorized', message);
}
