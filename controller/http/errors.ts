import type { ServerResponse } from 'node:http';
import { messageOf } from '@understudy/shared/runtime/errors';
import type { Log } from '@understudy/shared/runtime/log';
import type Koa from 'koa';
import { StoreAwayError } from '../store/reader.ts';
import { Refusal, type RefusalCode, refusals } from '../work/refusal.ts';

const RETRY_AFTER_SECONDS = '1';
const MOST_SAID_OF_PATH = 200;

/** The one place that decides what a client sees of an error: `{ error: { code, message, details } }`. */
export function answerErrors(log: Log): Koa.Middleware {
  return async (context, next) => {
    try {
      refuseUnreadable(context);
      await next();
      if (context.respond === false) return;
      if (context.status >= 400 && context.body === undefined) answer(context, unanswered(context));
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal.code === 'internal') {
        log.error('a request failed', { path: shownPath(context), error: messageOf(error) });
      }
      answer(context, refusal);
    }
  };
}

/** The same for a request that was answered before the application. */
export function answerRefused(response: ServerResponse, error: unknown, log: Log): void {
  const refusal = refusalOf(error);
  const { code } = refusal;
  if (code === 'internal') log.error('a request failed', { error: messageOf(error) });
  if (refusals[code] === 503) response.setHeader('Retry-After', RETRY_AFTER_SECONDS);
  response.statusCode = refusals[code];
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  response.end(JSON.stringify(bodyOf(refusal)));
}

/** A target that is no path and no URL, like `http://[`: everything that looks at it would throw. */
function refuseUnreadable(context: Koa.Context): void {
  try {
    context.path.toString();
  } catch {
    throw new Refusal('invalid', 'the path of the request is not valid');
  }
}

/** The router leaves what it has no route for without a body. */
function unanswered(context: Koa.Context): Refusal {
  const { status, method } = context;
  if (status === 404) return new Refusal('not-found', `there is nothing at ${shownPath(context)}`);
  return new Refusal('method-not-allowed', `${method} can't be used on ${shownPath(context)}`);
}

function shownPath({ req }: Koa.Context): string {
  return (req.url ?? '').split('?', 1)[0]?.slice(0, MOST_SAID_OF_PATH) ?? '';
}

function answer(context: Koa.Context, refusal: Refusal): void {
  const status = refusals[refusal.code];
  context.status = status;
  if (status === 503) context.set('Retry-After', RETRY_AFTER_SECONDS);
  context.body = bodyOf(refusal);
}

function bodyOf({ code, message, details }: Refusal) {
  return { error: { code, message, ...(details === undefined ? {} : { details }) } };
}

function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof StoreAwayError) return new Refusal('store-away', error.message);
  const code = codeOfStatus((error as { status?: unknown }).status);
  if (code !== null) return new Refusal(code, messageOf(error));
  return new Refusal('internal', 'this request failed; the controller log says why');
}

/** Errors of the body parser carry a status of their own. */
function codeOfStatus(status: unknown): RefusalCode | null {
  if (status === 413) return 'too-large';
  return typeof status === 'number' && status >= 400 && status < 500 ? 'invalid' : null;
}
