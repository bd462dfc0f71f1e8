import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Held } from '@understudy/heartbeat/lease/port';
import { makePeers, type Peers, type PeersOptions } from '@understudy/heartbeat/peer/client';
import { makePeerRoutes } from '@understudy/heartbeat/peer/routes';
import { SIGNATURE_HEADER, sign } from '@understudy/heartbeat/peer/signature';
import { type PeerStateWire, peerStateSchema } from '@understudy/shared/protocol/peer';
import { systemClock } from '@understudy/shared/runtime/clock';
import { silentLog } from '@understudy/shared/runtime/log';
import test, { type ExecutionContext } from 'ava';
import axios from 'axios';
import Koa from 'koa';

const token = 'the-token-of-the-pair';

const held = { term: 9n, incarnation: randomUUID() };

function stateOf(node: string, more: Partial<PeerStateWire> = {}): PeerStateWire {
  return {
    pair: 'orders',
    node,
    incarnation: randomUUID(),
    url: `http://${node}`,
    controllerUrl: `http://${node}:1`,
    version: '1',
    role: 'passive',
    phase: 'watching',
    term: '7',
    highestTerm: '7',
    ready: true,
    notReady: [],
    ttlMs: 1_000,
    tenureOver: null,
    ...more,
  };
}

async function listen(t: ExecutionContext, server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Node b, with its testimony under the test's control. */
async function answeringPeer(
  t: ExecutionContext,
  testify: (held: Held) => string | null = () => null,
): Promise<string> {
  const app = new Koa();
  const incarnation = randomUUID();
  app.use(
    makePeerRoutes({
      pair: 'orders',
      node: 'b',
      incarnation,
      token,
      needsCertificate: false,
      self: () => stateOf('b', { incarnation }),
      onHeard: () => undefined,
      testify,
      consent: async () => ({ forMs: 500 }),
      prepare: () => null,
      switchOver: async () => ({ kind: 'refused', why: 'no-active', reason: 'a test' }),
      controllerUrl: 'http://b:1',
      log: silentLog,
    }),
  );
  return listen(t, createServer(app.callback()));
}

interface Asking {
  readonly peers: Peers;
  /** The node and term of the next testimony that counts. */
  readonly testimony: Promise<readonly [string, bigint]>;
}

function asking(url: string, withToken = token, more: Partial<PeersOptions> = {}): Asking {
  let took: (value: readonly [string, bigint]) => void = () => undefined;
  const testimony = new Promise<readonly [string, bigint]>((resolve) => {
    took = resolve;
  });
  const peers = makePeers({
    urls: [url],
    pair: 'orders',
    node: 'a',
    token: withToken,
    credentials: null,
    everyMs: 60_000,
    timeoutMs: 5_000,
    self: () => stateOf('a'),
    mayLeaveItToPeer: () => false,
    onHeard: () => undefined,
    onConsent: () => undefined,
    onTestimony: (node, term) => took([node, term]),
    clock: systemClock,
    log: silentLog,
    ...more,
  });
  return { peers, testimony };
}

/** Waits until the peer's view has no longer the error that it starts with. */
async function exchanged(peers: Peers): Promise<string | null> {
  await peers.exchangeNow();
  for (;;) {
    const error = peers.views()[0]?.error ?? null;
    if (error !== 'not asked yet') return error;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('Two heartbeats with the same token know each other after one exchange', async (t) => {
  const { peers } = asking(await answeringPeer(t));
  t.is(await exchanged(peers), null);
  t.is(peers.views()[0]?.state?.node, 'b');
});

test('A peer that asks us is not asked as well, until it falls silent', async (t) => {
  let asked = 0;
  let now = 0;
  const url = await answeringPeer(t);
  const { peers } = asking(url, token, {
    everyMs: 10,
    mayLeaveItToPeer: () => true,
    clock: { ...systemClock, monotonicMs: () => now },
    self: () => {
      asked += 1;
      return stateOf('a');
    },
  });
  t.teardown(() => peers.stop());
  await exchanged(peers);
  peers.heard(peerStateSchema.parse(stateOf('b', { term: '8' })));
  t.is(peers.views()[0]?.state?.term, 8n, 'what it said of itself counts');
  peers.start();
  const before = asked;
  await pause(50);
  t.is(asked, before, 'it was heard just now');
  now += 100;
  for (let i = 0; i < 500 && asked === before; i++) await pause(10);
  t.true(asked > before, 'it has been silent for ten turns');
});

test('F122: a wrong token is refused, and said to be the reason', async (t) => {
  const { peers } = asking(await answeringPeer(t), 'another-token-entirely');
  t.is(await exchanged(peers), 'it refuses our token (401)');
});

test('A peer that takes the question and never answers is said to be silent, and for how long', async (t) => {
  const url = await listen(
    t,
    createServer(() => undefined),
  );
  const { peers } = asking(url, token, { timeoutMs: 50 });
  t.is(await exchanged(peers), 'no answer within 50 ms');
});

test('A peer that gives its word is heard with its node and the term asked for', async (t) => {
  const asked: bigint[] = [];
  const url = await answeringPeer(t, ({ term }) => {
    asked.push(term);
    return null;
  });
  const { peers, testimony } = asking(url);
  peers.askTestimony(held);
  t.deepEqual(await testimony, ['b', 9n]);
  t.deepEqual(asked, [9n]);
});

/** A server that answers each testimony request with what `forge` makes of its nonce. */
function forger(t: ExecutionContext, forge: (nonce: string) => { body: string; by: string }) {
  let answered: () => void = () => undefined;
  const done = new Promise<void>((resolve) => {
    answered = resolve;
  });
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk) => {
      text += chunk;
    });
    request.on('end', () => {
      const { body, by } = forge((JSON.parse(text) as { nonce: string }).nonce);
      response.setHeader(SIGNATURE_HEADER, by);
      response.end(body, () => answered());
    });
  });
  return { url: listen(t, server), done };
}

const forgeries = {
  'without the token': (nonce: string) => {
    const body = JSON.stringify(word(nonce));
    return { body, by: sign('a-guessed-token', nonce, body) };
  },
  'F121: played back from an earlier question': (_nonce: string) => {
    const body = JSON.stringify(word('an-earlier-nonce-of-a'));
    return { body, by: sign(token, 'an-earlier-nonce-of-a', body) };
  },
  'signed for this question but made for another': (nonce: string) => {
    const body = JSON.stringify(word('an-earlier-nonce-of-a'));
    return { body, by: sign(token, nonce, body) };
  },
  'for a lower term than was asked for': (nonce: string) => {
    const body = JSON.stringify({ ...word(nonce), term: '8' });
    return { body, by: sign(token, nonce, body) };
  },
};

function word(nonce: string) {
  return { binding: true, node: 'b', incarnation: randomUUID(), term: '9', nonce };
}

for (const [title, forge] of Object.entries(forgeries)) {
  test(`F120: testimony ${title} does not count`, async (t) => {
    const { url, done } = forger(t, forge);
    const { peers, testimony } = asking(await url);
    peers.askTestimony(held);
    await done;
    // An honest answer of another peer arrives after the forged one was dealt with.
    const honest = asking(await answeringPeer(t));
    honest.peers.askTestimony(held);
    await honest.testimony;
    const outcome = await Promise.race([testimony.then(() => 'counted'), Promise.resolve('none')]);
    t.is(outcome, 'none');
  });
}

test('F93: an answer that is not signed for its question is counted', async (t) => {
  const refused: string[] = [];
  const { url } = forger(t, forgeries['without the token']);
  const { peers } = asking(await url, token, { onRefused: (reason) => refused.push(reason) });
  t.is(await exchanged(peers), 'its answer is not signed with our token');
  t.deepEqual(refused, ['not-signed']);
});

const malformed: Readonly<Record<string, string>> = {
  'no JSON': 'hello',
  'an empty object': '{}',
  'a term that is a number': JSON.stringify({
    pair: 'orders',
    node: 'a',
    nonce: 'x'.repeat(20),
    term: 9,
  }),
  'a term beyond 64 bits': JSON.stringify({
    pair: 'orders',
    node: 'a',
    nonce: 'x'.repeat(20),
    term: '99999999999999999999',
  }),
  'a name with a path in it': JSON.stringify({
    pair: 'orders',
    node: '../a',
    nonce: 'x'.repeat(20),
    term: '9',
  }),
};

for (const [title, body] of Object.entries(malformed)) {
  test(`F93: ${title} is answered 400 and asks nobody for his word`, async (t) => {
    const url = await answeringPeer(t, () => t.fail('it was asked') as never);
    const { status } = await axios.post(`${url}/peer/v1/testimony`, body, {
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      validateStatus: () => true,
    });
    t.is(status, 400);
  });
}

test('F92: a body beyond the limit is answered 413', async (t) => {
  const { status } = await axios.post(
    `${await answeringPeer(t)}/peer/v1/exchange`,
    'x'.repeat(100_000),
    { headers: { authorization: `Bearer ${token}` }, validateStatus: () => true },
  );
  t.is(status, 413);
});

test('A node of another pair is told so', async (t) => {
  const url = await answeringPeer(t);
  const { status, data } = await axios.post(
    `${url}/peer/v1/exchange`,
    { nonce: 'x'.repeat(20), state: stateOf('a', { pair: 'invoices' }) },
    { headers: { authorization: `Bearer ${token}` }, validateStatus: () => true },
  );
  t.is(status, 409);
  t.regex(data.error.message, /node of the pair orders, not of invoices/);
});
