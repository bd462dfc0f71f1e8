import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { type Agent, request } from 'node:https';
import { messageOf } from '@understudy/shared/runtime/errors';
import { NodeAgent } from '@understudy/shared/runtime/tls/connect';
import { Credentials, type Replacement } from '@understudy/shared/runtime/tls/credentials';
import type { Member } from '@understudy/shared/runtime/tls/member';
import { doubtOf } from '@understudy/shared/runtime/tls/shown';
import test, { type ExecutionContext } from 'ava';
import { put, TestAuthority } from '../../support/certificates.ts';
import { listen } from './listening.ts';

interface Stage {
  readonly authority: TestAuthority;
  readonly own: Credentials;
  readonly port: number;
  /** A process of that member, and how it connects. */
  readonly process: (member: Member) => Promise<{ credentials: Credentials; agent: NodeAgent }>;
}

/** Node a, which begins a long answer and says to everybody whether he counts as the agent that he asks for. */
async function stage(t: ExecutionContext): Promise<Stage> {
  const authority = await TestAuthority.make('orders');
  t.teardown(() => authority.remove());
  await authority.revoke([]);
  const own = await authority.credentials(authority.node('a'));
  const { port } = await listen(t, own, ({ socket, url = '' }, response) => {
    const doubt = doubtOf(socket, authority.agent(url.slice(1)));
    response.write(doubt === null ? 'welcome' : `${doubt.code}: ${doubt.message}`);
    if (doubt !== null) response.end();
  });
  const process = async (member: Member) => {
    const credentials = await authority.credentials(member);
    const agent = new NodeAgent({ credentials, pair: 'orders', keepAlive: true });
    t.teardown(() => {
      credentials.close();
      agent.destroy();
    });
    return { credentials, agent };
  };
  return { authority, own, port, process };
}

/** The first words of an answer, which goes on, and when it breaks. */
async function begin(port: number, id: string, agent: Agent) {
  const sent = request({ host: '127.0.0.1', port, path: `/${id}`, agent });
  const failed = once(sent, 'error').then(([error]) => {
    throw new Error(messageOf(error));
  });
  sent.end();
  const [response] = (await Promise.race([once(sent, 'response'), failed])) as [IncomingMessage];
  failed.catch(() => undefined);
  const [text] = (await once(response, 'data')) as [Buffer];
  const broken = new Promise<void>((resolve) => response.once('close', resolve));
  response.on('error', () => undefined).resume();
  return { text: text.toString(), broken, socket: sent.socket };
}

const pemOf = (authority: TestAuthority, member: Member) =>
  readFileSync(authority.filesOf(member).cert, 'utf8');

test('I5: an agent whose certificate is revoked is cut off and refused with that reason; others go on', async (t) => {
  const { authority, own, port, process } = await stage(t);
  const [w1, w2] = [authority.agent('w1'), authority.agent('w2')];
  const [thief, other] = [await process(w1), await process(w2)];
  const told: Replacement[] = [];
  own.onReplacement((news) => told.push(news));
  const stolen = await begin(port, 'w1', thief.agent);
  const living = await begin(port, 'w2', other.agent);
  t.deepEqual([stolen.text, living.text], ['welcome', 'welcome']);
  await authority.revoke([pemOf(authority, w1)]);
  own.look();
  await stolen.broken;
  t.like(told[0], { type: 'replaced', isOfRevokedOnly: true });
  const again = await begin(port, 'w1', thief.agent);
  t.regex(again.text, /certificate-refused: .*it has been revoked \(CERT_REVOKED\)/);
  t.false(living.socket?.destroyed);
  t.is((await begin(port, 'w2', other.agent)).text, 'welcome');
  await authority.write(w1);
  thief.credentials.look();
  t.is((await begin(port, 'w1', thief.agent)).text, 'welcome', 'the owner has a new one');
});

test('I5: who asks cuts off a node whose certificate is revoked, and connects to it no more', async (t) => {
  const { authority, port, process } = await stage(t);
  const [w1, w2] = [await process(authority.agent('w1')), await process(authority.agent('w2'))];
  const [first, second] = [await begin(port, 'w1', w1.agent), await begin(port, 'w2', w2.agent)];
  // Of the second one the session is used again: what was shown when it began is what is revoked.
  second.socket?.destroy();
  const resumed = await begin(port, 'w2', w2.agent);
  await authority.revoke([pemOf(authority, authority.node('a'))]);
  for (const { credentials } of [w1, w2]) credentials.look();
  await Promise.all([first.broken, resumed.broken]);
  const message = /its certificate has been revoked/;
  for (const { agent } of [w1, w2]) {
    await t.throwsAsync(begin(port, 'w1', agent), { message });
  }
});

test('I5: a list that can not be used takes nothing back, and nobody starts with it', async (t) => {
  const { authority, own, port, process } = await stage(t);
  const w1 = authority.agent('w1');
  const { agent } = await process(w1);
  await authority.revoke([pemOf(authority, w1)]);
  own.look();
  const stranger = await TestAuthority.make('orders');
  t.teardown(() => stranger.remove());
  await stranger.revoke([]);
  put(`${authority.crl}`, readFileSync(`${stranger.crl}`, 'utf8'));
  own.look();
  own.look();
  const problem = "tls.crl can't be used: it is not signed by an authority in tls.ca";
  t.is(own.problem, problem);
  t.regex((await begin(port, 'w1', agent)).text, /certificate-refused/);
  const self = authority.node('a');
  const opening = Credentials.open({ files: authority.filesOf(self), self, wallMs: Date.now });
  t.true((await t.throwsAsync(opening)).message.endsWith(problem));
});
