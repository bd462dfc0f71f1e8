import { randomUUID } from 'node:crypto';
import { type RequestOptions, request } from 'node:https';
import { connect as connectSecure } from 'node:tls';
import type { AuditView } from '@understudy/shared/protocol/rights';
import test, { type ExecutionContext } from 'ava';
import { type IssueOptions, put, TestAuthority } from '../../support/certificates.ts';
import { eventually, faultLasts } from '../../support/cluster/eventually.ts';
import { AgentProcess } from '../agent/agent-process.ts';
import { Bench, startStore, TOKEN } from '../controller/bench.ts';

let store: Awaited<ReturnType<typeof startStore>>;
test.before(async () => {
  store = await startStore();
});
test.after.always(() => store.end());

interface Stage {
  readonly authority: TestAuthority;
  readonly bench: Bench;
}

/** Node a, active, with TLS. */
async function stage(t: ExecutionContext, options: IssueOptions = {}): Promise<Stage> {
  const authority = await TestAuthority.make('orders');
  t.teardown(() => authority.remove());
  const files = await authority.write(authority.node('a'), options);
  const bench = await Bench.start(t, store.postgres, { tls: { ...files, plain: 'refuse' } });
  await bench.activate(5n);
  return { authority, bench };
}

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body?: object;
  readonly token?: string | null;
}

/** One request, with what is shown of a certificate; the code of an error, else the status. */
function ask(
  { bench, authority }: Stage,
  { method, path, body, token = TOKEN }: Asked,
  shown: RequestOptions = {},
): Promise<string | number> {
  const headers = {
    ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  };
  return new Promise((resolve, reject) => {
    const options = { method, headers, agent: false, ca: authority.certificate, ...shown };
    const sent = request(`${bench.url}${path}`, options, async (response) => {
      const status = response.statusCode ?? 0;
      if (status < 300) {
        response.destroy();
        return resolve(status);
      }
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      const { error } = JSON.parse(Buffer.concat(chunks).toString());
      resolve(`${status} ${error.code}`);
    });
    sent.on('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function registration(agent: string, incarnation: string = randomUUID()) {
  const rest = { version: '1', labels: {}, slots: 1, highestTerm: '0', journal: randomUUID() };
  const body = { agent, incarnation, ...rest, session: 1, attempts: [] };
  return { method: 'POST', path: '/agent/v1/register', body };
}

async function shownBy(
  authority: TestAuthority,
  member: ReturnType<TestAuthority['agent']>,
  options: IssueOptions = {},
) {
  const { key, certificate } = await authority.issue(member, options);
  return { key, cert: certificate };
}

test('I5: users need a token and no certificate, load balancers need neither', async (t) => {
  const on = await stage(t);
  const get = (path: string, token: string | null) => ask(on, { method: 'GET', path, token });
  t.is(await get('/readyz', null), 200);
  t.is(await get('/healthz', null), 200);
  t.is(await get('/api/v1/jobs', TOKEN), 200);
  t.is(await get('/api/v1/jobs', null), '401 unauthorized');
  // A certificate is no token.
  const shown = await shownBy(on.authority, on.authority.node('b'));
  t.is(
    await ask(on, { method: 'GET', path: '/api/v1/jobs', token: null }, shown),
    '401 unauthorized',
  );
});

test('I5, F122: as an agent counts who has its certificate beside the token, and nobody else', async (t) => {
  const on = await stage(t);
  const { authority, bench } = on;
  const other = await TestAuthority.make('orders');
  t.teardown(() => other.remove());
  const strangers = [
    ['certificate-needed', {}],
    ['certificate-refused', await shownBy(other, other.agent('w1'))],
    ['certificate-refused', await shownBy(authority, authority.agent('w1'), { forMs: -1_000 })],
    ['wrong-certificate', await shownBy(authority, authority.agent('w2'))],
    ['wrong-certificate', await shownBy(authority, authority.node('w1'))],
  ] as const;
  const incarnation = randomUUID();
  const own = await shownBy(authority, authority.agent('w1'));
  t.is(await ask(on, { ...registration('w1', incarnation), token: null }, own), '401 unauthorized');
  t.is(await ask(on, registration('w1', incarnation), own), 200);
  const stream = { agent: 'w1', incarnation, session: '1' };
  const orders = { method: 'GET', path: `/agent/v1/orders?${new URLSearchParams(stream)}` };
  const body = { agent: 'w1', incarnation, highestTerm: '5', reports: [] };
  const sign = { method: 'POST', path: '/agent/v1/reports', body };
  for (const asked of [registration('w1'), orders, sign]) {
    for (const [code, shown] of strangers) {
      const status = code === 'certificate-needed' ? 401 : 403;
      t.is(await ask(on, asked, shown), `${status} ${code}`, `${asked.path} ${code}`);
    }
  }
  t.is(await ask(on, orders, own), 200);
  t.is(await ask(on, sign, own), 200);
  const trail = await bench.query(
    "select actor, subject, items from understudy.audit where action = 'denied'",
  );
  t.true((trail as AuditView[]).length > 0, 'the audit trail tells of them');
});

test('I5: a certificate that is replaced is used by a controller that serves, and a half of one is not', async (t) => {
  const { authority, bench } = await stage(t);
  const before = await fingerprintAt(bench);
  const files = authority.filesOf(authority.node('a'));
  const next = await authority.issue(authority.node('a'));
  put(files.cert, next.certificate);
  // Meanwhile it has looked at least once, and goes on with what it has.
  await faultLasts(5_000);
  t.is(await fingerprintAt(bench), before);
  put(files.key, next.key);
  const after = await eventually(
    async () => {
      const now = await fingerprintAt(bench);
      return now === before ? null : now;
    },
    { what: 'the new certificate' },
  );
  t.not(after, before);
});

test('I5: a controller without a certificate that fits is not ready, and says why', async (t) => {
  const authority = await TestAuthority.make('orders');
  t.teardown(() => authority.remove());
  const files = await authority.write(authority.node('b'));
  const tls = { ...files, plain: 'refuse' } as const;
  const bench = await Bench.start(t, store.postgres, { tls, until: 'notReady' });
  const said = await bench.said('notReady');
  t.regex(JSON.stringify(said), /made for node b of the pair orders; expected .*node\/a/);
});

test('I5: an agent and its controller verify each other, and work', async (t) => {
  const { authority, bench } = await stage(t);
  const tls = await authority.write(authority.agent('w1'));
  const agent = new AgentProcess(t, { controllers: [bench.url], token: TOKEN, tls });
  await t.notThrowsAsync(agent.untilLogged('following a under term 5'));
});

test('F122: an agent tells nothing to a controller of another authority', async (t) => {
  const { bench } = await stage(t);
  const other = await TestAuthority.make('orders');
  t.teardown(() => other.remove());
  const tls = await other.write(other.agent('w1'));
  const agent = new AgentProcess(t, { controllers: [bench.url], token: TOKEN, tls });
  await agent.untilLogged('is not signed by an authority that is trusted here');
  t.false(agent.log.includes('following'));
});

test('I5: an agent does not start with the certificate of another one', async (t) => {
  const authority = await TestAuthority.make('orders');
  t.teardown(() => authority.remove());
  const tls = await authority.write(authority.agent('w2'));
  const controllers = ['https://127.0.0.1:9'];
  const agent = new AgentProcess(t, { controllers, token: TOKEN, tls });
  t.deepEqual(await agent.exited, { code: 78, signal: null });
  t.regex(agent.log, /made for agent w2 of the pair orders; expected .*agent\/w1/);
});

function fingerprintAt({ url }: Bench): Promise<string> {
  const { hostname: host, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connectSecure({ host, port: Number(port), rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.destroy();
    });
    socket.on('error', reject);
  });
}
