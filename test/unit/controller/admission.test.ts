import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type AppParts, makeHandler, routersOf } from '@understudy/controller/http/app';
import type { Changes } from '@understudy/controller/store/changes';
import { AgentService } from '@understudy/controller/work/agents';
import { BackfillService } from '@understudy/controller/work/backfill';
import { BulkService } from '@understudy/controller/work/bulk';
import type { TenureContext } from '@understudy/controller/work/context';
import { JobService } from '@understudy/controller/work/jobs';
import { RunPlanner } from '@understudy/controller/work/planner';
import { ReportService } from '@understudy/controller/work/reports';
import { RunService } from '@understudy/controller/work/runs';
import { WorkState } from '@understudy/controller/work/state';
import { registerSchema } from '@understudy/shared/protocol/agent';
import { jobSchema } from '@understudy/shared/protocol/api';
import test, { type ExecutionContext } from 'ava';
import { makeRun } from './make-run.ts';

const RUN = '0197e0d2-7c00-7000-8000-000000000001';
const OVER = '0197e0d2-7c00-7000-8000-000000000002';
const WORKER = '0197e0d2-7c00-4000-8000-000000000003';

const worker = {
  ...{ agent: 'w1', incarnation: WORKER, version: '1', labels: {}, slots: 1 },
  ...{ highestTerm: '7', attempts: [] },
};

/** One good request for every route: a new route needs one here. */
const examples: Readonly<Record<string, readonly [path: string, body?: unknown]>> = {
  'GET /': ['/'],
  'GET /healthz': ['/healthz'],
  'GET /metrics': ['/metrics'],
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
  'GET /api/v1/pair': ['/api/v1/pair'],
  'GET /api/v1/agents': ['/api/v1/agents'],
  'POST /api/v1/agents/:id/drain': ['/api/v1/agents/w1/drain', {}],
  'POST /api/v1/agents/:id/resume': ['/api/v1/agents/w1/resume', {}],
  'DELETE /api/v1/agents/:id': ['/api/v1/agents/w1'],
  'GET /api/v1/events': ['/api/v1/events'],
  'GET /api/v1/events/stream': ['/api/v1/events/stream'],
  'POST /agent/v1/register': ['/agent/v1/register', { ...worker, session: 2 }],
  'GET /agent/v1/orders': [`/agent/v1/orders?agent=w1&incarnation=${WORKER}`],
  'POST /agent/v1/reports': [
    '/agent/v1/reports',
    { agent: 'w1', incarnation: WORKER, highestTerm: '7', reports: [] },
  ],
};

/** A controller's HTTP side over a state whose commits are only noted, with a guard that a test moves. */
async function setUp(t: ExecutionContext) {
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
  const reader = {
    ...{ isAway: false, requireAnswers: () => undefined },
    ...{ run: async () => over, runs: async () => [over], listRuns: async () => [over] },
    ...{ events: async () => [], runByKey: async () => null },
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
  const jobs = new JobService(context, state);
  const parts: AppParts = {
    ...{ context, state, agents, runs, jobs, reader, since: 0, token: 'secret' },
    backfill: new BackfillService({ context, state, planner, reader }),
    bulk: new BulkService({ context, state, jobs, runs, planner }),
    reports: new ReportService(context, state, agents, reader),
    ...{
      problems: () => [],
      isFailsafe: () => false,
      gate: { enter: async () => true, letGo: () => undefined },
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
  const ask = async (route: string) => {
    const [path, body] = examples[route] ?? ['/nowhere'];
    const { port } = server.address() as AddressInfo;
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method: route.split(' ', 1)[0] ?? 'GET',
      headers: { authorization: 'Bearer secret', 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return response;
  };
  await agents.register(registerSchema.parse({ ...worker, session: 1 }));
  commits.length = 0;
  return { ask, guard, commits, parts };
}

/** Without the methods that the router adds by itself. */
function allRoutes(parts: AppParts): string[] {
  return routersOf(parts).flatMap((router) =>
    router.stack.flatMap(({ methods, path }) =>
      methods.filter((method) => method !== 'HEAD').map((method) => `${method} ${String(path)}`),
    ),
  );
}

test('there is an example for every route', async (t) => {
  const { parts } = await setUp(t);
  t.deepEqual(allRoutes(parts).toSorted(), Object.keys(examples).toSorted());
});

for (const route of Object.keys(examples)) {
  test(`${route} is answered while this controller may act`, async (t) => {
    const { ask } = await setUp(t);
    const { ok, status, body } = await ask(route);
    await body?.cancel();
    t.true(ok, `${status}`);
  });

  test(`${route} is not admitted once it may not, and changes nothing`, async (t) => {
    const { ask, guard, commits } = await setUp(t);
    guard.mayAct = () => false;
    const response = await ask(route);
    t.is(response.status, 503);
    t.like(await response.json(), { error: { code: 'not-active' } });
    t.is(commits.length, 0);
  });

  test(`${route} gets no success answer when it may not any more by then`, async (t) => {
    const { ask, guard } = await setUp(t);
    let asked = 0;
    guard.mayAct = () => asked++ === 0;
    const response = await ask(route);
    t.is(response.status, 503);
    t.like(await response.json(), { error: { code: 'not-active' } });
  });
}
