import { once } from 'node:events';
import { rmSync, symlinkSync } from 'node:fs';
import {
  type IncomingMessage,
  Agent as PlainAgent,
  request as plainRequest,
  type Server,
} from 'node:http';
import { Agent, type RequestOptions, request } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { type ConnectionOptions, connect as connectSecure, TLSSocket } from 'node:tls';
import { messageOf, UserError } from '@understudy/shared/runtime/errors';
import { NodeAgent } from '@understudy/shared/runtime/tls/connect';
import { Credentials } from '@understudy/shared/runtime/tls/credentials';
import { makeServer } from '@understudy/shared/runtime/tls/server';
import { doubtOf } from '@understudy/shared/runtime/tls/shown';
import test, { type ExecutionContext } from 'ava';
import { DAY_MS, put, TestAuthority } from '../../support/certificates.ts';
import { listen } from './listening.ts';

interface Stage {
  readonly authority: TestAuthority;
  readonly server: Server;
  readonly own: Credentials;
  readonly port: number;
}

/** Node a, which says to everybody whether he counts as agent w1. */
async function stage(t: ExecutionContext, acceptsPlain = false): Promise<Stage> {
  const authority = await TestAuthority.make('orders');
  const self = authority.node('a');
  const files = await authority.write(self);
  const own = await Credentials.open({ files, self, wallMs: Date.now, acceptsPlain });
  const { server, port } = await listen(t, own, ({ socket }, response) => {
    response.end(doubtOf(socket, authority.agent('w1'))?.code ?? 'welcome');
  });
  t.teardown(() => authority.remove());
  return { authority, server, own, port };
}

function ask(port: number, options: RequestOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, ...options }, (response) => {
      textOf(response).then(resolve, reject);
    });
    sent.on('error', (error) => reject(new Error(messageOf(error))));
    sent.end();
  });
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

/** As the product connects, with what that member has. */
function agentOf(credentials: Credentials, more: object = {}): NodeAgent {
  return new NodeAgent({ credentials, pair: 'orders', ...more });
}

test('I5: an agent with its own certificate is known by it', async (t) => {
  const { authority, port } = await stage(t);
  const agent = agentOf(await authority.credentials(authority.agent('w1')));
  t.is(await ask(port, { agent }), 'welcome');
});

test('I5: the certificate of another agent, of a node, of another pair is no certificate of this agent', async (t) => {
  const { authority, port } = await stage(t);
  for (const member of [
    authority.agent('w2'),
    authority.node('w1'),
    { ...authority.agent('w1'), pair: 'invoices' },
  ]) {
    const agent = agentOf(await authority.credentials(member));
    t.is(await ask(port, { agent }), 'wrong-certificate');
  }
});

test('I5: whoever has no certificate is answered, and counts as nobody, on a session that is used again too', async (t) => {
  const { authority, port } = await stage(t);
  const agent = new Agent({ ca: authority.certificate });
  t.teardown(() => agent.destroy());
  t.is(await ask(port, { agent }), 'certificate-needed');
  const again = await resumed(port, { ca: authority.certificate });
  t.deepEqual(again, { isReused: true, text: 'certificate-needed' });
});

test('I5: a certificate of the authority with an empty subject is that of nobody, and ends nobody', async (t) => {
  const { authority, port } = await stage(t);
  const { key, certificate: cert } = await authority.issueNameless();
  const shown = { key, cert, ca: authority.certificate };
  t.is(await ask(port, { agent: false, ...shown }), 'wrong-certificate');
  t.is(await ask(port, { agent: false, ca: authority.certificate }), 'certificate-needed');
});

for (const { what, of } of [
  {
    what: 'of another authority',
    of: async () => {
      const other = await TestAuthority.make('orders');
      other.remove();
      return await other.issue(other.agent('w1'));
    },
  },
  {
    what: 'that has expired',
    of: (authority: TestAuthority) => authority.issue(authority.agent('w1'), { forMs: -DAY_MS }),
  },
]) {
  test(`I5, F122: a certificate ${what} is refused, on a session that is used again too`, async (t) => {
    const { authority, port } = await stage(t);
    const { key, certificate: cert } = await of(authority);
    const shown = { key, cert, ca: authority.certificate };
    t.is(await ask(port, { agent: false, ...shown }), 'certificate-refused');
    t.deepEqual(await resumed(port, shown), { isReused: true, text: 'certificate-refused' });
  });
}

test('I5: both sides know each other on a session that is used again', async (t) => {
  const { authority, port } = await stage(t);
  const agent = agentOf(await authority.credentials(authority.agent('w1')));
  const seen = async () => {
    const sent = request({ host: '127.0.0.1', port, agent }).end();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    const { socket } = sent;
    if (!(socket instanceof TLSSocket)) throw new Error('it is not encrypted');
    const isReused = socket.isSessionReused();
    const text = await textOf(response);
    return { isReused, text, doubt: doubtOf(socket, authority.node('a')) };
  };
  t.deepEqual(await seen(), { isReused: false, text: 'welcome', doubt: null });
  t.deepEqual(await seen(), { isReused: true, text: 'welcome', doubt: null });
});

test('F122: an agent takes nobody for a node who has the certificate of an agent', async (t) => {
  const { authority, port } = await impostor(t, (authority) => authority.agent('w2'));
  const agent = agentOf(await authority.credentials(authority.agent('w1')));
  await t.throwsAsync(ask(port, { agent }), {
    message: /may not be used for this|made for agent w2/,
  });
});

test('F122: nobody is taken for a node of the pair who has the certificate of another pair', async (t) => {
  const { authority, port } = await impostor(t, ({ node }) => ({ ...node('a'), pair: 'invoices' }));
  const agent = agentOf(await authority.credentials(authority.agent('w1')));
  const message = /made for node a of the pair invoices; expected a node of the pair orders/;
  await t.throwsAsync(ask(port, { agent }), { message });
});

test('A server is not believed whose certificate is of another authority, has expired, or is for another host', async (t) => {
  const { authority, port } = await stage(t);
  const other = await TestAuthority.make('orders');
  t.teardown(() => other.remove());
  const stranger = agentOf(await other.credentials(other.agent('w1')));
  await t.throwsAsync(ask(port, { agent: stranger }), {
    message: /its certificate is not signed by an authority that is trusted here/,
  });
  const { port: late } = await impostor(t, ({ node }) => node('a'), authority, { forMs: -DAY_MS });
  const agent = agentOf(await authority.credentials(authority.agent('w1')));
  await t.throwsAsync(ask(late, { agent }), { message: /its certificate has expired/ });
  const { port: elsewhere } = await impostor(t, ({ node }) => node('a'), authority, {
    hosts: ['10.9.8.7'],
  });
  await t.throwsAsync(ask(elsewhere, { agent }), { message: /127\.0\.0\.1 is not in the cert's/ });
});

test('Whoever speaks plain HTTP to a port with TLS is told so', async (t) => {
  const { port } = await stage(t);
  const sent = plainRequest({ host: '127.0.0.1', port, path: '/active' }).end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  t.is(response.statusCode, 400);
  t.regex(await textOf(response), /"code":"tls-needed".*use https:/);
});

test('A port that accepts plain HTTP beside TLS serves both, and asks for a certificate where one could be shown', async (t) => {
  const { authority, port } = await stage(t, true);
  const kept = new PlainAgent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => kept.destroy());
  for (const times of ['first', 'again']) {
    const sent = plainRequest({ host: '127.0.0.1', port, agent: kept, method: 'POST' });
    sent.end('x'.repeat(100_000));
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    t.is(await textOf(response), 'welcome', times);
    t.is(sent.reusedSocket, times === 'again');
  }
  t.is(await ask(port, { agent: new Agent({ ca: authority.certificate }) }), 'certificate-needed');
  const agent = agentOf(await authority.credentials(authority.agent('w1')));
  t.is(await ask(port, { agent }), 'welcome');
});

test('A plain connection to a port that accepts it is closed with the port', async (t) => {
  const { port, server } = await stage(t, true);
  const socket = connect({ host: '127.0.0.1', port });
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  t.regex(String(await once(socket, 'data')), /^HTTP\/1\.1 200/);
  const ended = once(socket, 'close');
  server.closeIdleConnections();
  await ended;
  t.pass();
});

test('Whoever speaks TLS to a plain port learns that', async (t) => {
  const authority = await TestAuthority.make('orders');
  t.teardown(() => authority.remove());
  const server = makeServer({}, null, (_request, response) => response.end('plain'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const agent = agentOf(await authority.credentials(authority.agent('w1')));
  const { port } = server.address() as AddressInfo;
  await t.throwsAsync(ask(port, { agent }), { message: /it does not speak TLS; its URL may/ });
});

test('A certificate that is replaced is used for new connections; those that live go on', async (t) => {
  const { authority, own, port } = await stage(t);
  const credentials = await authority.credentials(authority.agent('w1'));
  const agent = agentOf(credentials, { keepAlive: true });
  t.teardown(() => agent.destroy());
  t.is(await ask(port, { agent }), 'welcome');
  const before = own.current.certificate.fingerprint;
  t.is(await fingerprintAt(port), before);
  const living = connectSecure({ host: '127.0.0.1', port, rejectUnauthorized: false });
  await once(living, 'secureConnect');
  await authority.write(authority.node('a'));
  own.look();
  const after = own.current.certificate.fingerprint;
  t.not(after, before);
  t.is(await fingerprintAt(port), after);
  t.is(await ask(port, { agent }), 'welcome');
  living.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const [answer] = (await once(living, 'data')) as [Buffer];
  t.regex(answer.toString(), /^HTTP\/1\.1 200/);
  living.destroy();
});

test('What was connected with a certificate that was replaced here is used no more', async (t) => {
  const { authority, port } = await stage(t);
  const credentials = await authority.credentials(authority.agent('w1'));
  t.teardown(() => credentials.close());
  const agent = agentOf(credentials, { keepAlive: true });
  t.teardown(() => agent.destroy());
  const sent = () => {
    const each = request({ host: '127.0.0.1', port, agent }).end();
    return once(each, 'response').then(async ([response]) => {
      await textOf(response as IncomingMessage);
      return each.socket;
    });
  };
  const first = await sent();
  t.is(await sent(), first, 'a connection is kept');
  await authority.write(authority.agent('w1'));
  credentials.look();
  t.not(await sent(), first);
});

test('Whoever connects and says nothing does not keep a port from closing', async (t) => {
  const { server, port } = await stage(t);
  const silent = connect(port, '127.0.0.1');
  const greeting = connect(port, '127.0.0.1');
  await Promise.all([once(silent, 'connect'), once(greeting, 'connect')]);
  // The beginning of a handshake, and no more.
  greeting.write(Buffer.from([0x16, 0x03, 0x01]));
  silent.on('error', () => undefined);
  greeting.on('error', () => undefined);
  await t.notThrowsAsync(ask(port, { agent: false, rejectUnauthorized: false }));
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await t.notThrowsAsync(closed);
});

test('A port that closes answers whoever has shaken hands already, and keeps nobody else', async (t) => {
  const { authority, server, port } = await stage(t);
  const options = { host: '127.0.0.1', port, ca: authority.certificate };
  const agent = new Agent({ keepAlive: true, ca: authority.certificate });
  t.teardown(() => agent.destroy());
  t.is(await ask(port, { agent }), 'certificate-needed', 'one is idle');
  const fresh = connectSecure(options);
  await once(fresh, 'secureConnect');
  // Its handshake begins before the port closes, and ends after it.
  const late = connect(port, '127.0.0.1');
  await once(late, 'connect');
  await t.notThrowsAsync(ask(port, { agent: false, ca: authority.certificate }));
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeIdleConnections();
  const answers = [fresh, connectSecure({ ...options, socket: late })].map(async (socket) => {
    socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    return answer.toString().split('\r\n', 1)[0];
  });
  t.deepEqual(await Promise.all(answers), ['HTTP/1.1 200 OK', 'HTTP/1.1 200 OK']);
  await t.notThrowsAsync(closed);
});

test('A file that can not be used changes nothing, and is told of', async (t) => {
  const { authority, own, port } = await stage(t);
  const told: string[] = [];
  own.onReplacement((news) => told.push(news.type === 'refused' ? news.problem : news.type));
  const before = await fingerprintAt(port);
  const { key } = await authority.issue(authority.node('a'));
  put(authority.filesOf(authority.node('a')).key, key);
  own.look();
  t.deepEqual(told, [], 'the other file may come in a moment');
  own.look();
  own.look();
  t.deepEqual(told, ['tls.key is not the key of the certificate in tls.cert']);
  t.is(own.problem, told[0] ?? null);
  t.is(await fingerprintAt(port), before);
  await authority.write(authority.node('a'));
  own.look();
  t.deepEqual(told.slice(1), ['replaced']);
  t.is(own.problem, null);
});

/** A server that shows what it should not. */
async function impostor(
  t: ExecutionContext,
  memberOf: (authority: TestAuthority) => ReturnType<TestAuthority['node']>,
  given?: TestAuthority,
  options: Parameters<TestAuthority['issue']>[1] = {},
) {
  const authority = given ?? (await TestAuthority.make('orders'));
  const { key, certificate: cert } = await authority.issue(
    memberOf({
      node: (id: string) => authority.node(id),
      agent: (id: string) => authority.agent(id),
    } as TestAuthority),
    options,
  );
  const texts = { key, cert, ca: authority.certificate };
  const fake = { current: texts, onReplacement: () => () => undefined, watch: () => undefined };
  const server = makeServer({}, fake as unknown as Credentials, (_request, response) => {
    response.end('come in');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
    authority.remove();
  });
  return { authority, port: (server.address() as AddressInfo).port };
}

/** Asks on a session that an earlier connection has begun. */
async function resumed(port: number, options: ConnectionOptions) {
  const first = connectSecure({ host: '127.0.0.1', port, ...options });
  const [session] = (await once(first, 'session')) as [Buffer];
  first.destroy();
  const second = connectSecure({ host: '127.0.0.1', port, ...options, session });
  await once(second, 'secureConnect');
  const isReused = second.isSessionReused();
  second.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  const chunks: Buffer[] = [];
  for await (const chunk of second) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString().split('\r\n').at(-1);
  return { isReused, text };
}

async function fingerprintAt(port: number): Promise<string> {
  const socket = connectSecure({ host: '127.0.0.1', port, rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

test('A file that may not even be looked at changes nothing, and is told of; at the start it is a bad configuration', async (t) => {
  const { authority, own, port } = await stage(t);
  const told: string[] = [];
  own.onReplacement((news) => told.push(news.type === 'refused' ? news.problem : news.type));
  const before = await fingerprintAt(port);
  const self = authority.node('a');
  const files = authority.filesOf(self);
  rmSync(files.cert);
  symlinkSync(files.cert, files.cert);
  for (let turn = 0; turn < 3; turn += 1) own.look();
  t.is(told.length, 1);
  t.regex(told[0] ?? '', /^tls\.cert can't be read: ELOOP/);
  t.is(await fingerprintAt(port), before);
  await t.throwsAsync(Credentials.open({ files, self, wallMs: Date.now }), {
    instanceOf: UserError,
    message: /tls\.cert can't be read: ELOOP/,
  });
});
