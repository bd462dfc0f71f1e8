import { createHash, timingSafeEqual } from 'node:crypto';
import type Koa from 'koa';
import { Refusal } from '../work/refusal.ts';

/** Lets requests pass that show the token. The comparison takes as long for any other text. */
export function requireToken(token: string): Koa.Middleware {
  const expected = digest(`Bearer ${token}`);
  return async (context, next) => {
    if (!timingSafeEqual(digest(context.get('authorization')), expected)) {
      throw new Refusal('unauthorized', 'expected the token as Authorization: Bearer TOKEN');
    }
    await next();
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
