import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { makePeers } from '@understudy/heartbeat/peer/client';
import { makePeerRoutes } from '@understudy/heartbeat/peer/routes';
import { SIGNATURE_HEADER, sign } from '@understudy/heartbeat/peer/signature';
import type { PeerStateWire } from '@understudy/shared/protocol/peer';
import { systemClock } from '@understudy/shared/runtime/clock';
import { silentLog } from '@understudy/shared/runtime/log';
import type { Credentials } from '@understudy/shared/runtime/tls/credentials';
import type { Member } from '@understudy/shared/runtime/tls/member';
import { nothingRevoked } from '@understudy/shared/runtime/tls/revoked';
import test, { type ExecutionContext } from 'ava';
import Koa from 'koa';
import { TestAuthority } from '../../support/certificates.ts';
import { listen } from './listening.ts';

const token = 'the-token-of-the-pair';

function stateOf(node: string): PeerStateWire {
  return {
    ...{ pair: 'orders', node, incarnation: randomUUID(), version: '1' },
    ...{ url: `https://${node}`, controllerUrl: `https://${node}:1` },
    ...{ role: 'passive', phase: 'watching', term: '7', highestTerm: '7' },
    ...{ ready: true, notReady: [], ttlMs: 1_000, tenureOver: null },
  };
}

interface Answering {
  readonly url: string;
  /** What was refused, and what was let in. */
  readonly refused: string[];
  readonly heard: string[];
}

/** Node b, with its own certificate. */
async function nodeB(t: ExecutionContext, authority: TestAuthority): Promise<Answering> {
  const [refused, heard]: [string[], string[]] = [[], []];
  const routes = makePeerRoutes({
    ...{ pair: 'orders', node: 'b', incarnation: randomUUID(), token, needsCertificate: true },
    self: () => stateOf('b'),
    onHeard: ({ node }) => heard.push(node),
    testify: () => null,
    onRefused: (code) => refused.push(code),
    consent: async () => ({ forMs: 500 }),
    prepare: () => null,
    switchOver: async () => ({ kind: 'refused', why: 'no-active', reason: 'a test' }),
    ...{ controllerUrl: 'https://b:1', log: silentLog },
  });
  const app = new Koa().use(routes);
  const credentials = await authority.credentials(authority.node('b'));
  const url = await urlOf(t, credentials, app.callback());
  return { url, refused, heard };
}

async function urlOf(...serving: Parameters<typeof listen>): Promise<string> {
  return `https://127.0.0.1:${(await listen(...serving)).port}`;
}

/** What node a comes to know of the peer at that URL, showing the certificate of `member`; null: all is well. */
async function exchange(
  t: ExecutionContext,
  url: string,
  credentials: Credentials | null,
): Promise<string | null> {
  const peers = makePeers({
    ...{ urls: [url], pair: 'orders', node: 'a', token, credentials },
    ...{ everyMs: 60_000, timeoutMs: 10_000 },
    self: () => stateOf('a'),
    mayLeaveItToPeer: () => false,
    onHeard: () => undefined,
    onConsent: () => undefined,
    onTestimony: () => undefined,
    ...{ clock: systemClock, log: silentLog },
  });
  t.teardown(() => credentials?.close());
  await peers.exchangeNow();
  return peers.views()[0]?.error ?? null;
}

async function authorityOf(t: ExecutionContext): Promise<TestAuthority> {
  const authority = await TestAuthority.make('orders');
  t.teardown(() => authority.remove());
  return authority;
}

test('I5: two nodes with their certificates know each other', async (t) => {
  const authority = await authorityOf(t);
  const { url, heard } = await nodeB(t, authority);
  t.is(await exchange(t, url, await authority.credentials(authority.node('a'))), null);
  t.deepEqual(heard, ['a']);
});

for (const { who, memberOf, error } of [
  {
    who: 'the certificate of an agent',
    memberOf: (authority: TestAuthority) => authority.agent('a'),
    error: /answered 403.*wrong-certificate.*made for agent a of the pair orders/,
  },
  {
    who: 'the certificate of another node',
    memberOf: (authority: TestAuthority) => authority.node('c'),
    error: /answered 403.*wrong-certificate.*made for node c of the pair orders, not for node a/,
  },
  {
    who: 'the certificate of a node of another pair',
    memberOf: (authority: TestAuthority): Member => ({ ...authority.node('a'), pair: 'x' }),
    error: /answered 403.*wrong-certificate/,
  },
]) {
  test(`F120: whoever has the token and ${who} changes nothing`, async (t) => {
    const authority = await authorityOf(t);
    const { url, heard, refused } = await nodeB(t, authority);
    const credentials = await authority.credentials(memberOf(authority));
    t.regex((await exchange(t, url, credentials)) ?? '', error);
    t.deepEqual([heard, refused], [[], ['wrong-certificate']]);
  });
}

test('F120: whoever has the token and no certificate, or one of another authority, changes nothing', async (t) => {
  const authority = await authorityOf(t);
  const { url, heard, refused } = await nodeB(t, authority);
  // It trusts our authority, and another one has signed what it shows.
  const other = await authorityOf(t);
  const own = await other.credentials(other.node('a'));
  const { createSecureContext } = await import('node:tls');
  for (const shown of [{}, { cert: own.current.cert, key: own.current.key }]) {
    const context = createSecureContext({ ca: authority.certificate, ...shown });
    const nothing = () => undefined;
    const current = { context, revoked: nothingRevoked };
    const credentials = { current, version: 0, close: nothing, watch: nothing };
    t.regex(
      (await exchange(t, url, credentials as unknown as Credentials)) ?? '',
      /answered 40[13]/,
    );
  }
  own.close();
  t.deepEqual([heard, refused], [[], ['certificate-needed', 'certificate-refused']]);
});

test('F120: a node that answers for another one is not believed, though it has the token', async (t) => {
  const authority = await authorityOf(t);
  const credentials = await authority.credentials(authority.node('c'));
  const url = await urlOf(t, credentials, async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { nonce } = JSON.parse(Buffer.concat(chunks).toString());
    const body = JSON.stringify(stateOf('b'));
    response.setHeader(SIGNATURE_HEADER, sign(token, nonce, body)).end(body);
  });
  const error = await exchange(t, url, await authority.credentials(authority.node('a')));
  t.regex(error ?? '', /it answers for node b: the certificate is made for node c/);
});

test('I5: a node that speaks plain HTTP to one with TLS is told so, and the other way round', async (t) => {
  const authority = await authorityOf(t);
  const { url } = await nodeB(t, authority);
  const plain = url.replace('https:', 'http:');
  t.regex((await exchange(t, plain, null)) ?? '', /answered 400: .*tls-needed.*use https:/);
  const { createServer } = await import('node:http');
  const server = createServer((_request, response) => response.end());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const credentials = await authority.credentials(authority.node('a'));
  const error = await exchange(t, `https://127.0.0.1:${port}`, credentials);
  t.regex(error ?? '', /it does not speak TLS; its URL may have to begin with http:/);
});
