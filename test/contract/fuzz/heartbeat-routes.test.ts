import { randomUUID } from 'node:crypto';
import test from 'ava';
import fc from 'fast-check';
import { noFault } from './support/fuzzing.ts';
import { answerFault } from './support/judge.ts';
import {
  nastyBodies,
  nastyHeaders,
  nastyQueries,
  nastySegments,
  spoiled,
} from './support/nasty.ts';
import { FuzzedPair } from './support/pair.ts';
import { exchangeRaw, type RawRequest, requestBytes } from './support/raw.ts';

const ANSWER_WITHIN_MS = 20_000;
const json = { 'Content-Type': 'application/json' };

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PROPFIND'] as const;
const paths = [
  ...['/active', '/passive', '/live', '/status', '/metrics', '/', '/*', '//*', '/status/*'],
  ...['/peer/v1/exchange', '/peer/v1/testimony', '/peer/v1/*', '/peer/*', '/events', '/pause'],
  ...['/resume', '/switchover', '/rest/ha/status', 'http://[', 'http://x:y/', '*'],
] as const;

async function faultOf(port: number, request: RawRequest): Promise<string | null> {
  const pieces = [requestBytes(request)];
  const answer = await exchangeRaw({ port, pieces, limitMs: ANSWER_WITHIN_MS });
  // Load balancers are told by this status who is not active.
  const isCheck = /^\/(active|passive)(\?|$)/.test(request.path) && answer.status === 503;
  return isCheck ? null : answerFault(answer);
}

test('F92: whatever is asked of any route of a heartbeat, the answer has a code and nothing changes', async (t) => {
  const pair = await FuzzedPair.start(t);
  const cases = fc.record({
    which: fc.constantFrom('active' as const, 'passive' as const),
    method: fc.constantFrom(...methods),
    path: fc.constantFrom(...paths),
    segment: fc.constantFrom(...nastySegments),
    query: fc.option(fc.constantFrom(...nastyQueries), { freq: 2 }),
    headers: fc.constantFrom(...nastyHeaders),
    body: fc.option(fc.constantFrom(...nastyBodies), { freq: 2, nil: undefined }),
    // What is asked with the token and in good form is done, and that is not looked for here.
    token: fc.constantFrom('', 'x', 'the-token-of-another-pair'),
  });
  await noFault(t, {
    runs: 400,
    cases,
    faultOf: ({ which, method, path, segment, query, headers, body, token }) =>
      faultOf(pair.portOf(which), {
        method,
        path: path.replaceAll('*', segment) + (query === null ? '' : `?${query}`),
        headers: { Authorization: `Bearer ${token}`, ...json, ...headers },
        ...(body === undefined ? {} : { body }),
      }),
  });
  await pair.judge(t);
});

test('F93: malformed messages on the peer link are refused, counted, and change nothing', async (t) => {
  const pair = await FuzzedPair.start(t);
  const { active, activeStatus, passive } = pair.before;
  const state = {
    pair: pair.cluster.facts.pair,
    node: passive.node,
    incarnation: randomUUID(),
    url: passive.options.heartbeatUrl,
    controllerUrl: passive.options.controllerUrl,
    version: activeStatus.version,
    role: 'passive',
    phase: 'watching',
    term: activeStatus.term,
    highestTerm: activeStatus.term,
    ready: true,
    notReady: [],
    ttlMs: 1_000,
    tenureOver: null,
  };
  const messages = {
    '/peer/v1/exchange': { nonce: 'n'.repeat(32), state },
    '/peer/v1/testimony': {
      pair: state.pair,
      node: active.node,
      nonce: 'n'.repeat(32),
      term: '1',
      incarnation: randomUUID(),
    },
  };
  const cases = fc
    .constantFrom(...(Object.keys(messages) as (keyof typeof messages)[]))
    .chain((path) => fc.record({ path: fc.constant(path), body: spoiled(messages[path]) }));
  const headers = { Authorization: `Bearer ${pair.token}`, ...json };
  const faultOfMessage = async (message: { path: string; body: string | Buffer }) =>
    (await faultOf(pair.portOf('active'), { method: 'POST', headers, ...message })) ??
    (await faultOf(pair.portOf('passive'), { method: 'POST', headers, ...message }));
  await noFault(t, { runs: 300, cases, faultOf: faultOfMessage });
  for (const path of Object.keys(messages)) {
    for (const body of nastyBodies) t.is(await faultOfMessage({ path, body }), null);
  }
  const refused = await pair.metric('passive', 'understudy_peer_messages_refused_total');
  t.true(refused >= nastyBodies.length, `counted ${refused}`);
  await pair.judge(t);
});

test('F120, F121: forged and replayed words of a peer never make the passive serve', async (t) => {
  const pair = await FuzzedPair.start(t);
  const { activeStatus, active } = pair.before;
  const said = {
    nonce: 'n'.repeat(32),
    state: {
      ...{ pair: pair.cluster.facts.pair, node: active.node, incarnation: randomUUID() },
      ...{ url: active.options.heartbeatUrl, controllerUrl: active.options.controllerUrl },
      ...{ version: activeStatus.version, role: 'passive', phase: 'watching', term: null },
      ...{ highestTerm: activeStatus.term, ready: false, notReady: ['gone'], ttlMs: 1 },
      tenureOver: activeStatus.term,
    },
  };
  const body = JSON.stringify(said);
  const before = await pair.metric('passive', 'understudy_peer_messages_refused_total');
  const forgeries: Readonly<Record<string, string>>[] = [
    {},
    { Authorization: 'Bearer ' },
    { Authorization: `Bearer ${pair.token}x` },
    { Authorization: `Bearer ${pair.token.slice(1)}` },
    { Authorization: `Basic ${Buffer.from(`x:${pair.token}`).toString('base64')}` },
    { 'X-Authorization': `Bearer ${pair.token}`, 'Understudy-Signature': 'f'.repeat(64) },
  ];
  for (let round = 0; round < 20; round += 1) {
    for (const headers of forgeries) {
      const pieces = [
        requestBytes({
          method: 'POST',
          path: '/peer/v1/exchange',
          headers: { ...json, ...headers },
          body,
        }),
      ];
      const answer = await exchangeRaw({ port: pair.portOf('passive'), pieces, limitMs: 20_000 });
      t.is(answer.status, 401);
    }
  }
  const counted = await pair.metric('passive', 'understudy_peer_messages_refused_total');
  t.is(counted - before, 20 * forgeries.length);
  await pair.judge(t);
});
