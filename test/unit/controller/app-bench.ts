import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type AppParts, makeHandler, routesOf } from '@understudy/controller/http/app';
import { HookService } from '@understudy/controller/notify/hooks';
import { makeCallers } from '@understudy/controller/security/callers';
import { Keyring } from '@understudy/controller/security/keyring';
import { SecretBook } from '@understudy/controller/security/secrets';
import { hashOf, TokenBook } from '@understudy/controller/security/tokens';
import type { Changes } from '@understudy/controller/store/changes';
import { AgentService } from '@understudy/controller/work/agents';
import { BackfillService } from '@understudy/controller/work/backfill';
import { BulkService } from '@understudy/controller/work/bulk';
import type { TenureContext } from '@understudy/controller/work/context';
import { JobService } from '@understudy/controller/work/jobs';
import { OutputMasks } from '@understudy/controller/work/output-masks';
import { RunPlanner } from '@understudy/controller/work/planner';
import { ReportService } from '@understudy/controller/work/reports';
import { RunService } from '@understudy/controller/work/runs';
import { WorkState } from '@understudy/controller/work/state';
import { registerSchema } from '@understudy/shared/protocol/agent';
import { jobSchema } from '@understudy/shared/protocol/api';
import { hookSchema } from '@understudy/shared/protocol/hooks';
import { roles } from '@understudy/shared/protocol/rights';
import type { ExecutionContext } from 'ava';
import { makeTestKeystore } from '../../support/keystore.ts';
import { makeRun } from './make-run.ts';

const RUN = '0197e0d2-7c00-7000-8000-000000000001';
const OVER = '0197e0d2-7c00-7000-8000-000000000002';
const WORKER = '0197e0d2-7c00-4000-8000-000000000003';

const worker = {
  ...{ agent: 'w1', incarnation: WORKER, version: '1', labels: {}, slots: 1 },
  ...{ highestTerm: '7', attempts: [] },
};

/** One good request for every route: a new route needs one here. */
export const examples: Readonly<Record<string, readonly [path: string, body?: unknown]>> = {
  'GET /': ['/'],
  'GET /healthz': ['/healthz'],
  'GET /metrics': ['/metrics'],
  'GET /api/v1/openapi.json': ['/api/v1/openapi.json'],
  'GET /api/v1/jobs': ['/api/v1/jobs'],
  'POST /api/v1/jobs': ['/api/v1/jobs', { name: 'new', command: ['true'] }],
  'GET /api/v1/jobs/:name': ['/api/v1/jobs/j'],
  'PUT /api/v1/jobs/:name': ['/api/v1/jobs/j', { command: ['true'] }],
  'DELETE /api/v1/jobs/:name': ['/api/v1/jobs/j'],
  'POST /api/v1/jobs/:name/pause': ['/api/v1/jobs/j/pause', {}],
  'POST /api/v1/jobs/:name/resume': ['/api/v1/jobs/j/resume', {}],
  'GET /api/v1/jobs/:name/next': ['/api/v1/jobs/j/next'],
  'POST /api/v1/jobs/:name/backfill': [
    '/api/v1/jobs/j/backfill',
    { from: '1970-01-01T00:00:01Z', to: '1970-01-01T00:00:03Z' },
  ],
  'POST /api/v1/jobs/:name/runs': ['/api/v1/jobs/j/runs', {}],
  'GET /api/v1/runs': ['/api/v1/runs'],
  'POST /api/v1/runs': ['/api/v1/runs', { runs: [{ job: 'j' }] }],
  'GET /api/v1/runs/:id': [`/api/v1/runs/${RUN}`],
  'GET /api/v1/runs/:id/history': [`/api/v1/runs/${OVER}/history`],
  'GET /api/v1/runs/:id/log': [`/api/v1/runs/${OVER}/log`],
  'POST /api/v1/runs/:id/cancel': [`/api/v1/runs/${RUN}/cancel`, {}],
  'POST /api/v1/runs/:id/retry': [`/api/v1/runs/${OVER}/retry`, {}],
  'GET /api/v1/tokens': ['/api/v1/tokens'],
  'POST /api/v1/tokens': ['/api/v1/tokens', { name: 'new', role: 'viewer', expiresIn: '1h' }],
  'DELETE /api/v1/tokens/:name': ['/api/v1/tokens/old'],
  'GET /api/v1/secrets': ['/api/v1/secrets'],
  'POST /api/v1/secrets/rekey': ['/api/v1/secrets/rekey', { keyId: 'k-0123456789abcdef' }],
  'GET /api/v1/secrets/:name': ['/api/v1/secrets/OLD'],
  'PUT /api/v1/secrets/:name': ['/api/v1/secrets/OLD', { value: 'hunter2' }],
  'DELETE /api/v1/secrets/:name': ['/api/v1/secrets/OLD'],
  'GET /api/v1/audit': ['/api/v1/audit?actor=old'],
  'GET /api/v1/pair': ['/api/v1/pair'],
  'GET /api/v1/agents': ['/api/v1/agents'],
  'POST /api/v1/agents/:id/drain': ['/api/v1/agents/w1/drain', {}],
  'POST /api/v1/agents/:id/resume': ['/api/v1/agents/w1/resume', {}],
  'DELETE /api/v1/agents/:id': ['/api/v1/agents/w1'],
  'GET /api/v1/events': ['/api/v1/events'],
  'GET /api/v1/events/stream': ['/api/v1/events/stream'],
  'GET /api/v1/hooks': ['/api/v1/hooks'],
  'GET /api/v1/hooks/:name': ['/api/v1/hooks/h'],
  'PUT /api/v1/hooks/:name': ['/api/v1/hooks/h', { url: 'http://h/', events: ['run.lost'] }],
  'DELETE /api/v1/hooks/:name': ['/api/v1/hooks/h'],
  'GET /api/v1/hooks/:name/deliveries': ['/api/v1/hooks/h/deliveries'],
  'POST /agent/v1/register': ['/agent/v1/register', { ...worker, session: 2 }],
  'GET /agent/v1/orders': [`/agent/v1/orders?agent=w1&incarnation=${WORKER}`],
  'POST /agent/v1/reports': [
    '/agent/v1/reports',
    { agent: 'w1', incarnation: WORKER, highestTerm: '7', reports: [] },
  ],
};

const audit = {
  ...{ seq: 1n, at: 1, term: 7n, actor: 'old', action: 'job.apply', subject: 'j' },
  ...{ address: '127.0.0.1', items: ['command'], count: 1 },
};

const delivery = {
  ...{ id: RUN, event: 'run.lost', subject: RUN, state: 'pending', createdAt: 1, attempts: 1 },
  ...{ dueAt: 2, finishedAt: null, status: 500, problem: 'answered 500' },
};

/** A controller's HTTP side over a state whose commits are only noted, with a guard that a test moves. */
export async function setUpApp(t: ExecutionContext) {
  const guard = { mayAct: () => true, untilMayAct: async () => undefined, isOver: false };
  const commits: Changes[] = [];
  const context = {
    ...{ pair: 'orders', node: 'a', term: 7n, guard },
    clock: { wallMs: () => 5_000, monotonicMs: () => 5_000 },
    log: { error: () => undefined },
    failpoints: { pass: () => undefined },
    newId: () => '0197e0d2-7c00-7000-8000-000000000009',
    committer: {
      ...{ isAway: false, isFull: false, onGivenUp: () => () => undefined },
      commit: async (changes: Changes) => {
        commits.push(changes);
        return { existing: new Map(), events: [] };
      },
    },
  } as unknown as TenureContext;
  const over = makeRun({}, { id: OVER, state: 'succeeded', finishedAt: 1 });
  const page = { runs: [over], next: null };
  const reader = {
    ...{ isAway: false, requireAnswers: () => undefined, select: async () => [delivery] },
    ...{ run: async () => over, runs: async () => [over], listRuns: async () => page },
    ...{ events: async () => [], runByKey: async () => null, audit: async () => [audit] },
    ...{ decidedInstants: async () => new Map(), eventsOf: async () => [] },
  } as never;
  const state = new WorkState(context);
  const definition = jobSchema.parse({
    ...{ name: 'j', command: ['true'], schedule: { every: '1s' } },
  });
  const job = { definition, decidedUntil: 0, createdAt: 0, updatedAt: 0 };
  state.load({ jobs: [job], agents: [], runs: [makeRun({}, { id: RUN })] });
  const agents = new AgentService(context, state, { beatEveryMs: 1_000, lostAfterMs: 60_000 });
  const planner = new RunPlanner(context, state);
  const runs = new RunService(context, state, reader, planner);
  const tokens = new TokenBook(context, (changes) => state.apply(changes));
  const hash = hashOf('old-token');
  tokens.load([
    {
      ...{ name: 'old', role: 'viewer', agent: null, hash },
      ...{ createdAt: 1, createdBy: 'pair', expiresAt: null },
    },
  ]);
  const keystore = makeTestKeystore(t);
  const keyring = new Keyring(keystore);
  const secrets = new SecretBook(context, {
    keyring,
    apply: (changes) => state.apply(changes),
    useOf: () => ({ jobs: [], runs: 0 }),
  });
  const sealed = keystore.seal('value', 'orders/secret/OLD');
  secrets.load([
    { name: 'OLD', keyId: keystore.id, sealed, former: [], updatedAt: 1, updatedBy: 'pair' },
  ]);
  const own = makeCallers('secret', tokens);
  const callers = {
    identify: (token: string) => {
      // Of a role, or of the role agent and of one agent, like `agent-token of w2`.
      const [, name, agent = null] = /^(\w+)-token(?: of (\w+))?$/.exec(token) ?? [];
      const role = roles.find((each) => each === name);
      if (role === undefined) return own.identify(token);
      return { name: role, roles: [role], agent, over: null };
    },
  };
  const jobs = new JobService(context, state);
  const hooks = new HookService(context, state, keyring);
  const { secret: _, ...wanted } = hookSchema.parse({ url: 'http://h/', events: ['run.lost'] });
  hooks.load([
    { name: 'h', id: RUN, definition: wanted, secret: null, createdAt: 0, updatedAt: 0 },
  ]);
  const parts: AppParts = {
    hooks,
    ...{ context, state, agents, runs, reader, since: 0, callers, tokens, secrets },
    agentDoubt: () => null,
    rekey: {
      rekey: async (keyId, by) => {
        await state.apply({ ...by });
        return { keyId, secrets: 1, hooks: 0 };
      },
    },
    jobs,
    bulk: new BulkService({ context, state, jobs, runs, planner }),
    backfill: new BackfillService({
      ...{ context, state, planner, reader, kept: { ageMs: null, count: null } },
    }),
    reports: new ReportService(context, {
      ...{ state, agents, reader, outputLimit: 1_000 },
      masks: new OutputMasks({ secrets, reader, isOpen: () => true }),
    }),
    ...{
      problems: () => [],
      isFailsafe: () => false,
      gate: { enter: async () => true, letGo: () => undefined, isOpen: true },
    },
    isClosing: new AbortController().signal,
  };
  const server = createServer(makeHandler(parts));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    agents.leave(null);
    server.close();
    server.closeAllConnections();
  });
  const ask = async (route: string, token = 'secret') => {
    const [path, body] = examples[route] ?? ['/nowhere'];
    const { port } = server.address() as AddressInfo;
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method: route.split(' ', 1)[0] ?? 'GET',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return response;
  };
  await agents.register(registerSchema.parse({ ...worker, session: 1 }));
  commits.length = 0;
  return { ask, guard, commits, parts, server };
}

/** Every route of the routers, as the examples name them; without the methods that the router adds by itself. */
export function routerRoutes(parts: AppParts): string[] {
  return routesOf(parts).flatMap(({ router }) =>
    router.stack.flatMap(({ methods, path }) =>
      methods.filter((method) => method !== 'HEAD').map((method) => `${method} ${String(path)}`),
    ),
  );
}
