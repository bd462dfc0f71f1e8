import Router from '@koa/router';
import { messageOf } from '@understudy/shared/runtime/errors';
import type { Log } from '@understudy/shared/runtime/log';
import Koa from 'koa';
import { answerError } from './answer.ts';
import type { HeartbeatMetrics } from './metrics.ts';
import { makeOperatorRouter, type OperatorRoutesOptions } from './operator-routes.ts';
import type { StatusView } from './status.ts';

const MOST_SAID_OF_PATH = 200;

export interface HeartbeatAppOptions extends OperatorRoutesOptions {
  readonly status: () => StatusView;
  readonly metrics: HeartbeatMetrics;
  /** The routes of the peer link. */
  readonly peerRoutes: Koa.Middleware;
  readonly log: Log;
}

/**
 * The heartbeat's HTTP side. What needs no token is answered from memory and never waits for the store: a
 * load balancer and a peer get their answer also when the database is away.
 */
export function makeHeartbeatApp(options: HeartbeatAppOptions): Koa {
  const app = new Koa();
  const router = new Router();
  const { status } = options;
  router.get('/active', (context) => {
    const { active, node, role, phase } = status();
    answerCheck(context, active?.node === node, { node, role, phase, active });
  });
  router.get('/passive', (context) => {
    const { ready, notReady, node, role, phase } = status();
    answerCheck(context, ready, { node, role, phase, notReady });
  });
  router.get('/live', (context) => {
    answerCheck(context, true, { live: true });
  });
  router.get('/status', (context) => {
    context.body = status();
  });
  router.get('/metrics', async (context) => {
    const { type, body } = await options.metrics.text();
    context.type = type;
    context.body = body;
  });
  app.use(answerErrors(options.log));
  app.use(options.peerRoutes);
  const operator = makeOperatorRouter(options);
  app.use(operator.routes());
  app.use(router.routes());
  app.use(operator.allowedMethods());
  app.use(router.allowedMethods());
  // Koa's own report of broken client connections is noise here.
  app.silent = true;
  return app;
}

/** Whatever goes wrong with a request, its sender gets an error of the one shape. */
function answerErrors(log: Log): Koa.Middleware {
  return async (context, next) => {
    const path = (context.req.url ?? '').split('?', 1)[0]?.slice(0, MOST_SAID_OF_PATH) ?? '';
    if (!isReadable(context)) {
      return answerError(context, 400, 'invalid', 'the path of the request is not valid');
    }
    try {
      await next();
      if (context.status < 400 || context.body !== undefined) return;
      if (context.status === 404) {
        answerError(context, 404, 'not-found', `there is nothing at ${path}`);
      } else {
        const message = `${context.method} can't be used on ${path}`;
        answerError(context, 405, 'method-not-allowed', message);
      }
    } catch (error) {
      log.error('a request failed', { path, error: messageOf(error) });
      answerError(context, 500, 'internal', 'this request failed; the heartbeat log says why');
    }
  };
}

/** A target that is no path and no URL, like `http://[`, throws at everybody who looks at it. */
function isReadable(context: Koa.Context): boolean {
  try {
    return context.path !== '';
  } catch {
    return false;
  }
}

function answerCheck(context: Koa.Context, isGood: boolean, facts: object): void {
  context.status = isGood ? 200 : 503;
  context.body = facts;
}
