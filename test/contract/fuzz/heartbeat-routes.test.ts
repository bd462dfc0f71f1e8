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

test('F93, F121: what peers really said, played back in any order and often, changes no role', async (t) => {
  const pair = await FuzzedPair.start(t);
  const headers = { Authorization: `Bearer ${pair.token}`, ...json };
  const stateOf = async (which: 'active' | 'passive', more: object) => {
    const { pair: name, node, role, phase, term, ready, version } = pair.before[`${which}Status`];
    const { heartbeatUrl, controllerUrl } = pair.before[which].options;
    const ids = { pair: name, node, incarnation: randomUUID(), url: heartbeatUrl, controllerUrl };
    const rest = { version, role, phase, term, highestTerm: term ?? '0', ready, notReady: [] };
    return {
      nonce: randomUUID(),
      state: { ...ids, ...rest, ttlMs: 5_000, tenureOver: null, ...more },
    };
  };
  // As each was before the grant, while it was granted, and as it is now.
  const moments = [
    {},
    { role: 'passive', phase: 'watching', term: null, highestTerm: '0', ready: true },
    { role: 'passive', phase: 'claiming', term: null, highestTerm: '0', ready: false },
    { role: 'active', phase: 'promoting', ready: false },
  ];
  const said = await Promise.all(
    moments.flatMap((moment) => [stateOf('active', moment), stateOf('passive', moment)]),
  );
  await noFault(t, {
    runs: 300,
    cases: fc.record({
      to: fc.constantFrom('active' as const, 'passive' as const),
      message: fc.nat(said.length - 1),
    }),
    faultOf: ({ to, message }) =>
      faultOf(pair.portOf(to), {
        method: 'POST',
        path: '/peer/v1/exchange',
        headers,
        body: JSON.stringify(said[message]),
      }),
  });
  await pair.judge(t);
});

test('F92: the events of a pair are asked for with any query', async (t) => {
  const pair = await FuzzedPair.start(t);
  const headers = { Authorization: `Bearer ${pair.token}` };
  const places = [
    'a.1',
    '.',
    '1.',
    '-1',
    '9'.repeat(40),
    'a'.repeat(3_000),
    '%00',
    '%zz',
    '__proto__',
    'zzzzzzzz-a-999999999999',
    'zzzzzzzz-%00-1',
    'zzzzzzzz-%F0%9F%98%80-1',
  ];
  for (const query of [...nastyQueries, ...places.map((place) => `after=${place}`)]) {
    for (const which of ['active', 'passive'] as const) {
      const path = `/events?${query}`;
      t.is(await faultOf(pair.portOf(which), { method: 'GET', path, headers }), null, query);
    }
  }
  await pair.judge(t);
});
