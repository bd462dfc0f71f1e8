import { once } from 'node:events';
import type { Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import test from 'ava';
import { examples, setUpApp } from './app-bench.ts';

const REPORTS = 'POST /agent/v1/reports';
const [path, sign] = examples[REPORTS] as [string, { readonly agent: string }];

/** Sends the pieces of a request one after the other, and gives all that comes back. */
async function sendInPieces(server: Server, pieces: readonly string[]): Promise<string> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1').setNoDelay();
  const closed = once(socket, 'close');
  let text = '';
  socket.setEncoding('utf8').on('data', (data: string) => {
    text += data;
  });
  for (const piece of pieces) {
    socket.write(piece);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await closed;
  return text;
}

function headOf(body: string, token: string): string {
  return (
    `POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${token}\r\n` +
    `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`
  );
}

test('a sign of life is acknowledged, and the agent counts as heard', async (t) => {
  const { ask, parts } = await setUpApp(t);
  const response = await ask(REPORTS);
  t.is(response.status, 200);
  t.deepEqual(await response.json(), { term: '7', acknowledged: 0 });
  t.true(
    parts.agents.hear({
      agent: 'w1',
      incarnation: '0197e0d2-7c00-4000-8000-000000000003',
      highestTerm: 7n,
    }),
  );
});

test('one that comes in pieces is answered the same', async (t) => {
  const { server } = await setUpApp(t);
  const body = JSON.stringify(sign);
  const whole = await sendInPieces(server, [headOf(body, 'secret') + body]);
  const pieces = await sendInPieces(server, [
    headOf(body, 'secret'),
    body.slice(0, 9),
    body.slice(9),
  ]);
  for (const text of [whole, pieces]) {
    t.regex(text, /^HTTP\/1\.1 200 /);
    t.true(text.endsWith('{"term":"7","acknowledged":0}'));
  }
});

test('several on one connection are answered in turn', async (t) => {
  const { server } = await setUpApp(t);
  const body = JSON.stringify(sign);
  const kept = headOf(body, 'secret').replace('Connection: close\r\n', '');
  const text = await sendInPieces(server, [
    kept + body + kept + body,
    kept + body,
    headOf(body, 'secret') + body,
  ]);
  t.is(text.match(/HTTP\/1\.1 200 /g)?.length, 4);
});

const refused: readonly [
  what: string,
  body: unknown,
  token: string,
  status: number,
  code: string,
][] = [
  ['of an agent that is not registered', { ...sign, agent: 'w2' }, 'secret', 409, 'unknown-agent'],
  ['that shows a higher term', { ...sign, highestTerm: '8' }, 'secret', 409, 'stale-term'],
  ['with a token that is none', sign, 'wrong', 401, 'unauthorized'],
  ['with a token of another role', sign, 'admin-token', 403, 'forbidden'],
  ['with a token of another agent', sign, 'agent-token of w2', 403, 'wrong-agent'],
  ['that is not what was agreed', { ...sign, incarnation: 'x' }, 'secret', 400, 'invalid'],
];
for (const [what, content, token, status, code] of refused) {
  test(`a sign of life ${what} is refused`, async (t) => {
    const { server } = await setUpApp(t);
    const body = JSON.stringify(content);
    const text = await sendInPieces(server, [headOf(body, token) + body]);
    t.true(text.startsWith(`HTTP/1.1 ${status} `), text);
    t.true(text.includes(`"code":"${code}"`), text);
  });
}

test('a body that is no JSON is refused', async (t) => {
  const { server } = await setUpApp(t);
  t.regex(await sendInPieces(server, [`${headOf('{', 'secret')}{`]), /^HTTP\/1\.1 400 /);
});

test('while requests wait, a sign of life waits with them', async (t) => {
  const { ask, parts } = await setUpApp(t);
  let asked = 0;
  Object.assign(parts.gate, {
    isOpen: false,
    enter: async () => {
      asked += 1;
      return true;
    },
  });
  t.is((await ask(REPORTS)).status, 200);
  t.is(asked, 1);
});

test('whether it is ready is told to everybody', async (t) => {
  const { server } = await setUpApp(t);
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/readyz`;
  const response = await fetch(url);
  t.is(response.status, 200);
  t.deepEqual(await response.json(), { term: '7', node: 'a' });
  t.is((await fetch(url, { method: 'HEAD' })).status, 200);
});

test('that it may not act is told, too', async (t) => {
  const { server, guard } = await setUpApp(t);
  guard.mayAct = () => false;
  const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/readyz`);
  t.is(response.status, 503);
  t.like(await response.json(), { error: { code: 'not-active' } });
});

const ORDERS = 'GET /agent/v1/orders';
const REGISTER = 'POST /agent/v1/register';

test('a stream of orders begins with a greeting, and ends with its connection', async (t) => {
  const { ask } = await setUpApp(t);
  const response = await ask(ORDERS);
  t.is(response.headers.get('content-type'), 'text/event-stream; charset=utf-8');
  t.is(response.headers.get('connection'), 'close');
  const reader = response.body?.getReader();
  const { value } = (await reader?.read()) ?? {};
  const text = new TextDecoder().decode(value);
  t.is(text, 'event: hello\ndata: {"type":"hello","term":"7","node":"a"}\n\n');
  await reader?.cancel();
});

test('a stream of orders is over when its agent is sent away, and what was said last arrives', async (t) => {
  const { ask, parts } = await setUpApp(t);
  const response = await ask(ORDERS);
  parts.agents.leave('http://b');
  const text = await response.text();
  t.true(text.endsWith('data: {"type":"leave","term":"7","next":"http://b"}\n\n'), text);
});

for (const route of [ORDERS, REGISTER]) {
  for (const [token, status, code] of [
    ['wrong', 401, 'unauthorized'],
    ['admin-token', 403, 'forbidden'],
    ['agent-token of w2', 403, 'wrong-agent'],
  ] as const) {
    test(`${route} with the token ${token} is refused`, async (t) => {
      const { ask } = await setUpApp(t);
      const response = await ask(route, token);
      t.is(response.status, status);
      t.like(await response.json(), { error: { code } });
    });
  }

  test(`${route} waits while requests wait`, async (t) => {
    const { ask, parts } = await setUpApp(t);
    let asked = 0;
    Object.assign(parts.gate, {
      isOpen: false,
      enter: async () => {
        asked += 1;
        return true;
      },
    });
    const response = await ask(route);
    t.is(response.status, 200);
    t.is(asked, 1);
    await response.body?.cancel();
  });
}

test('a registration that can not be committed is told so, and to try again', async (t) => {
  const { ask, parts } = await setUpApp(t);
  Object.assign(parts.context.committer, { isAway: true });
  const response = await ask(REGISTER);
  t.is(response.status, 503);
  t.is(response.headers.get('retry-after'), '1');
  t.like(await response.json(), { error: { code: 'store-away' } });
});

test('a stream that belongs to an earlier registration is refused, and so is a question that is asked twice', async (t) => {
  const { server } = await setUpApp(t);
  const [orders] = examples[ORDERS] as [string];
  const { port } = server.address() as AddressInfo;
  const askFor = async (path: string) => {
    const headers = { authorization: 'Bearer secret' };
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers });
    return [response.status, await response.json()] as const;
  };
  const [late, why] = await askFor(`${orders}&session=999`);
  t.is(late, 409);
  t.like(why, { error: { code: 'late-registration' } });
  const [twice] = await askFor(`${orders}&agent=w1`);
  t.is(twice, 400);
});
