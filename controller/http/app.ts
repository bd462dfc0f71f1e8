import { bodyParser } from '@koa/bodyparser';
import Router from '@koa/router';
import { formatTerm } from '@understudy/shared/kernel/term';
import Koa from 'koa';
import { Refusal } from '../work/refusal.ts';
import { addAgentRoutes } from './agent-routes.ts';
import { requireToken } from './auth.ts';
import { answer, answerErrors } from './errors.ts';
import { homePage } from './home.ts';
import { addJobRoutes } from './job-routes.ts';
import { ControllerMetrics } from './metrics.ts';
import { addPairRoutes, pairView } from './pair-routes.ts';
import type { HttpParts } from './parts.ts';
import { addRunRoutes } from './run-routes.ts';

export interface AppOptions extends HttpParts {
  /** False once this controller has been asked to end. */
  readonly isOpen: () => boolean;
}

/** What users send is small, what workers report may be large. */
const USER_BODY_LIMIT = '8mb';
const AGENT_BODY_LIMIT = '16mb';

/** The controller's HTTP side. Whoever asks after the tenure is over is not answered. */
export function makeApp(options: AppOptions): Koa {
  const app = new Koa();
  const metrics = new ControllerMetrics(options);
  app.silent = true;
  app.use(hold(options, metrics));
  app.use(answerErrors(options.log));
  app.use(openRoutes(options, metrics));
  app.use(requireToken(options.token));
  app.use(readBody());
  app.use(tokenRoutes(options));
  return app;
}

/** On admission, and before each success answer, the tenure must hold. */
function hold({ context: own, isOpen }: AppOptions, metrics: ControllerMetrics): Koa.Middleware {
  const { guard, node } = own;
  return async (context, next) => {
    if (guard.isOver) return drop(context);
    context.set('Understudy-Term', formatTerm(own.term));
    context.set('Understudy-Node', node);
    if (!isOpen() || !guard.mayAct()) {
      context.set('Connection', 'close');
      answer(context, new Refusal('not-active', `${node} does not serve at this moment`));
      return;
    }
    await next();
    if (context.respond === false) return;
    if (!guard.mayAct()) return drop(context);
    if (!isOpen()) context.set('Connection', 'close');
    metrics.countRequest(context.method, context.status);
  };
}

function drop(context: Koa.Context): void {
  context.respond = false;
  context.req.socket.destroy();
}

function openRoutes(options: AppOptions, metrics: ControllerMetrics): Koa.Middleware {
  const router = new Router();
  const { pair, node, term } = options.context;
  router.get(['/healthz', '/readyz'], (context) => {
    context.body = { pair, node, term: formatTerm(term) };
  });
  router.get('/metrics', async (context) => {
    const { type, body } = await metrics.text();
    context.type = type;
    context.body = body;
  });
  router.get('/', (context) => {
    context.type = 'html';
    context.body = homePage(pairView(options));
  });
  return router.routes() as Koa.Middleware;
}

function readBody(): Koa.Middleware {
  const parser = (jsonLimit: string) =>
    bodyParser({ enableTypes: ['json'], jsonLimit, parsedMethods: ['POST', 'PUT'] });
  const [ofUsers, ofAgents] = [parser(USER_BODY_LIMIT), parser(AGENT_BODY_LIMIT)];
  return (context, next) =>
    context.path.startsWith('/agent/') ? ofAgents(context, next) : ofUsers(context, next);
}

function tokenRoutes(options: AppOptions): Koa.Middleware {
  const router = new Router();
  addJobRoutes(router, options);
  addRunRoutes(router, options);
  addPairRoutes(router, options);
  addAgentRoutes(router, options);
  return router.routes() as Koa.Middleware;
}
