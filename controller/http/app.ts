import type { RequestListener } from 'node:http';
import type { Duplex } from 'node:stream';
import bodyParser from '@koa/bodyparser';
import { formatTerm } from '@understudy/shared/kernel/term';
import { UNREADY_HEADER } from '@understudy/shared/protocol/tenure';
import type { Doubt } from '@understudy/shared/runtime/tls/shown';
import Koa from 'koa';
import type { HookService } from '../notify/hooks.ts';
import type { Callers } from '../security/callers.ts';
import type { RekeyService } from '../security/rekey.ts';
import type { SecretBook } from '../security/secrets.ts';
import type { TokenBook } from '../security/tokens.ts';
import type { Reader } from '../store/reader.ts';
import type { AgentService } from '../work/agents.ts';
import type { BackfillService } from '../work/backfill.ts';
import type { BulkService } from '../work/bulk.ts';
import type { TenureContext } from '../work/context.ts';
import type { JobService } from '../work/jobs.ts';
import { Refusal } from '../work/refusal.ts';
import type { ReportService } from '../work/reports.ts';
import type { RunService } from '../work/runs.ts';
import type { WorkState } from '../work/state.ts';
import { admit } from './admission.ts';
import { agentProtocolRoutes } from './agent-routes.ts';
import { recordDenials } from './denied.ts';
import { answerErrors } from './errors.ts';
import { answerFrequent } from './frequent.ts';
import type { Gate } from './gate.ts';
import { hookRoutes } from './hook-routes.ts';
import { hostRoutes, readyzRoute } from './host-routes.ts';
import { jobRoutes } from './job-routes.ts';
import { pairRoutes } from './pair-routes.ts';
import { takeReadAhead } from './read-ahead.ts';
import { rightsRoutes } from './rights-routes.ts';
import type { Route, Routes } from './routes.ts';
import { runRoutes } from './run-routes.ts';
import { secretRoutes } from './secret-routes.ts';

/** Everything the routes work with. */
export interface AppParts {
  readonly context: TenureContext;
  readonly state: WorkState;
  readonly agents: AgentService;
  readonly runs: RunService;
  readonly backfill: BackfillService;
  readonly bulk: BulkService;
  readonly jobs: JobService;
  readonly reports: ReportService;
  readonly hooks: HookService;
  readonly reader: Reader;
  /** What is wrong with this controller, though it still answers. */
  readonly problems: () => readonly string[];
  /** The store is away, and the tenure rests on the consent of the peers. */
  readonly isFailsafe: () => boolean;
  /** When this tenure began, milliseconds since 1970. */
  readonly since: number;
  readonly callers: Callers;
  /** Why whoever is at the other side of a connection does not count as that agent; null: he does. */
  readonly agentDoubt: (socket: Duplex, agent: string) => Doubt | null;
  readonly tokens: TokenBook;
  readonly secrets: SecretBook;
  readonly rekey: Pick<RekeyService, 'rekey'>;
  /** Aborts when this controller stops serving: long answers that have no end of their own end then. */
  readonly isClosing: AbortSignal;
  readonly gate: Pick<Gate, 'enter' | 'letGo' | 'isOpen'>;
}

/** What users send is small, what workers report may be large. */
const USER_BODY_LIMIT = '2mb';
const AGENT_BODY_LIMIT = '16mb';
const BULK_BODY_LIMIT = '16mb';
const BULK_PATH = '/api/v1/runs';

/** What answers the controller's requests: a Koa application, before which stands what is asked all the time. */
export function makeHandler(parts: AppParts): RequestListener {
  return answerFrequent(parts, makeApp(parts).callback());
}

/** The controller's HTTP side, as a Koa application. */
function makeApp(parts: AppParts): Koa {
  const app = new Koa();
  app.silent = true;
  const all = routesOf(parts);
  app.use(answerErrors(parts.context.log));
  app.use(recordDenials(parts));
  app.use(admit({ ...parts, openPaths: openPathsOf(declaredIn(all)) }));
  app.use(answerReadyz(parts));
  app.use(readBody());
  app.use(enter(parts.gate));
  for (const { router } of all) {
    app.use(router.routes());
    app.use(router.allowedMethods());
  }
  return app;
}

/** All routes but `/readyz`, which is answered before them. */
export function routesOf(parts: AppParts): readonly Routes[] {
  // Looked through in this order: agents ask more often than all others together.
  const makers = [
    agentProtocolRoutes,
    jobRoutes,
    runRoutes,
    hookRoutes,
    pairRoutes,
    rightsRoutes,
    secretRoutes,
  ];
  const all: Routes[] = [
    ...makers.map((make) => make(parts)),
    hostRoutes(parts, () => declaredIn(all)),
  ];
  return all;
}

/** Everything that is answered, as it was declared. */
export function declaredIn(all: readonly Routes[]): readonly Route[] {
  return [readyzRoute, ...all.flatMap(({ declared }) => declared)];
}

/** Answered to everybody: they tell nothing about work. */
function openPathsOf(declared: readonly Route[]): ReadonlySet<string> {
  return new Set(declared.filter(({ needs }) => needs === 'nothing').map(({ path }) => path));
}

/** Answered before anything that costs. */
function answerReadyz({ context: tenure, problems }: AppParts): Koa.Middleware {
  const identity = { term: formatTerm(tenure.term), node: tenure.node };
  return (context, next) => {
    const isAsked = context.method === 'GET' || context.method === 'HEAD';
    if (context.path !== '/readyz' || !isAsked) return next();
    const found = problems();
    if (found.length > 0) {
      context.set(UNREADY_HEADER, found.join('; '));
      throw new Refusal('not-ready', found.join('; '));
    }
    context.body = identity;
    return undefined;
  };
}

/** All of the request is here: now it is under way, or it waits, or somebody else answers it. */
function enter(gate: AppParts['gate']): Koa.Middleware {
  return async (context, next) => {
    const { req: request, res: response } = context;
    const { rawBody } = context.request as { rawBody?: string };
    const exchange = {
      ...{ request, response },
      /** Made only for who sends it on. */
      get body() {
        return rawBody === undefined ? undefined : Buffer.from(rawBody, 'utf8');
      },
    };
    if (await gate.enter(exchange)) return await next();
    context.respond = false;
  };
}

function readBody(): Koa.Middleware {
  const parser = (jsonLimit: string) => bodyParser({ enableTypes: ['json'], jsonLimit });
  const [ofUsers, ofAgents] = [parser(USER_BODY_LIMIT), parser(AGENT_BODY_LIMIT)];
  const ofBulk = parser(BULK_BODY_LIMIT);
  return (context, next) => {
    // Elsewhere nobody needs a token, and nobody's body is kept in memory.
    if (!/^\/(?:api|agent)\//.test(context.path)) return next();
    if (!['', 'identity'].includes(context.get('content-encoding'))) {
      throw new Refusal('invalid', 'the body must come as it is, without a Content-Encoding');
    }
    // What is not JSON would be taken for an empty body, and a run started without its parameters.
    if (context.request.is('json') === false) {
      throw new Refusal('invalid', 'the body must be JSON: send Content-Type: application/json');
    }
    const ahead = takeReadAhead(context.req);
    if (ahead !== null) {
      Object.assign(context.request, { body: ahead.parsed, rawBody: ahead.raw });
      return next();
    }
    if (context.path === BULK_PATH) return ofBulk(context, next);
    return context.path.startsWith('/agent/') ? ofAgents(context, next) : ofUsers(context, next);
  };
}
