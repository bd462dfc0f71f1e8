import { messageOf } from '@understudy/shared/runtime/errors';
import type { Log } from '@understudy/shared/runtime/log';
import type Koa from 'koa';
import { StoreAwayError } from '../store/reader.ts';
import { Refusal, type RefusalCode, refusals } from '../work/refusal.ts';

const RETRY_AFTER_S = '1';

/** The one place that decides what a client sees of an error. */
export function answerErrors(log: Log): Koa.Middleware {
  return async (context, next) => {
    try {
      await next();
      if (context.status === 404 && context.body == null && context.respond !== false) {
        throw new Refusal('not-found', `there is nothing at ${context.method} ${context.path}`);
      }
    } catch (error) {
      if (context.headerSent) {
        context.res.destroy();
        return;
      }
      const refusal = refusalOf(error);
      if (refusal.code === 'internal') {
        log.error('a request failed', {
          request: `${context.method} ${context.path}`,
          error: error instanceof Error ? error.stack : messageOf(error),
        });
      }
      answer(context, refusal);
    }
  };
}

/** Writes an error as all errors look. */
export function answer(context: Koa.Context, { code, message, details }: Refusal): void {
  context.respond = true;
  context.status = refusals[code];
  if (context.status === 503) context.set('Retry-After', RETRY_AFTER_S);
  context.body = { error: { code, message, ...(details === undefined ? {} : { details }) } };
}

function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof StoreAwayError) return new Refusal('store-away', error.message);
  const status = error instanceof Error && 'status' in error ? Number(error.status) : 500;
  const code = codeOf(status);
  return code === 'internal'
    ? new Refusal(code, 'this request failed; the log of the controller says why')
    : new Refusal(code, messageOf(error));
}

/** What the body parser and the router throw carries a status. */
function codeOf(status: number): RefusalCode {
  if (status === 413) return 'too-large';
  if (status === 404) return 'not-found';
  return status >= 400 && status < 500 ? 'invalid' : 'internal';
}
