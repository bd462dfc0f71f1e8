import { randomUUID } from 'node:crypto';
import test from 'ava';
import fc from 'fast-check';
import { startStore } from '../controller/bench.ts';
import { authorized, goodJob, servingController, type Target } from './support/controller.ts';
import { type ApiDocument, documentFault, documentOf } from './support/documented.ts';
import { noFault } from './support/fuzzing.ts';
import { answerFault } from './support/judge.ts';
import {
  nastyBodies,
  nastyHeaders,
  nastyQueries,
  nastySegments,
  spoiled,
} from './support/nasty.ts';
import { exchangeRaw, type RawRequest, requestBytes } from './support/raw.ts';

let store: Awaited<ReturnType<typeof startStore>>;
test.before(async () => {
  store = await startStore();
});
test.after.always(() => store.end());

const ANSWER_WITHIN_MS = 20_000;
const json = { 'Content-Type': 'application/json' };

async function faultOf(
  { port }: Target,
  request: RawRequest,
  document: ApiDocument,
): Promise<string | null> {
  const pieces = [requestBytes(request)];
  const answer = await exchangeRaw({ port, pieces, limitMs: ANSWER_WITHIN_MS });
  return answerFault(answer) ?? documentFault(document, request, answer);
}

const methods = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'PROPFIND'] as const;

const paths = [
  ...['/', '/healthz', '/readyz', '/metrics', '/api', '/api/v1', '/api/v1/openapi.json'],
  ...['/api/v1/jobs', '/api/v1/jobs/*', '/api/v1/jobs/*/pause', '/api/v1/jobs/*/resume'],
  ...['/api/v1/jobs/*/runs', '/api/v1/runs', '/api/v1/runs/*', '/api/v1/runs/*/log'],
  ...['/api/v1/runs/*/cancel', '/api/v1/runs/*/retry', '/api/v1/agents', '/api/v1/agents/*/drain'],
  ...['/api/v1/agents/*/resume', '/api/v1/pair', '/api/v1/events', '/api/v1/events/stream'],
  ...[
    '/api/v1/tokens',
    '/api/v1/tokens/*',
    '/api/v1/secrets',
    '/api/v1/secrets/*',
    '/api/v1/audit',
  ],
  ...['/agent/v1/register', '/agent/v1/orders', '/agent/v1/reports', '/agent/v1/*', '/*', '//*'],
] as const;

/** Any method on any path, with wrong segments, queries, headers and bodies. */
const anyRequest: fc.Arbitrary<RawRequest> = fc
  .record({
    method: fc.constantFrom(...methods),
    path: fc.constantFrom(...paths),
    segment: fc.constantFrom(...nastySegments, 'other', 'w1'),
    query: fc.option(fc.constantFrom(...nastyQueries), { freq: 2 }),
    headers: fc.constantFrom(...nastyHeaders),
    body: fc.option(fc.constantFrom(...nastyBodies), { freq: 2, nil: undefined }),
    isJson: fc.boolean(),
  })
  .map(({ method, path, segment, query, headers, body, isJson }) => ({
    method,
    path: path.replaceAll('*', segment) + (query === null ? '' : `?${query}`),
    headers: { ...authorized, ...(isJson ? json : {}), ...headers },
    ...(body === undefined ? {} : { body }),
  }));

test('F92: whatever is asked of any route of the controller, the answer is 2xx or 4xx with a documented code', async (t) => {
  const target = await servingController(t, store);
  await target.remember();
  const document = await documentOf(target.bench);
  await noFault(t, {
    runs: 400,
    cases: anyRequest,
    faultOf: (request) => faultOf(target, request, document),
  });
  await target.judge(t);
});

const goodRegister = {
  agent: 'w9',
  incarnation: randomUUID(),
  version: '1',
  labels: { zone: 'a' },
  slots: 2,
  highestTerm: '0',
  journal: randomUUID(),
  attempts: [{ run: randomUUID(), attempt: 1, state: 'running' }],
};

const bodies = {
  'POST /api/v1/jobs': { ...goodJob, name: 'spoiled' },
  'PUT /api/v1/jobs/spoiled': { ...goodJob, name: 'spoiled' },
  'POST /api/v1/jobs/spoiled/runs': { parameters: { A: 'x', B: 'y' } },
  'POST /api/v1/tokens': { name: 'spoiled', role: 'viewer', expiresIn: '1h' },
  'PUT /api/v1/secrets/SPOILED': { value: 'hunter2' },
  'POST /agent/v1/register': goodRegister,
} as const;

for (const [route, good] of Object.entries(bodies)) {
  const [method = '', path = ''] = route.split(' ');
  test(`F92: ${route} takes a body with wrong fields, or refuses it with a code`, async (t) => {
    const target = await servingController(t, store);
    await target.bench.ask('PUT', '/api/v1/jobs/spoiled', { command: ['true'] });
    await target.remember();
    const document = await documentOf(target.bench);
    const headers = { ...authorized, ...json };
    const sent = (body: string | Buffer) =>
      faultOf(target, { method, path, headers, body }, document);
    await noFault(t, { runs: 300, cases: spoiled(good), faultOf: sent });
    for (const body of nastyBodies) t.is(await sent(body), null, String(body).slice(0, 100));
    await target.judge(t);
  });
}
