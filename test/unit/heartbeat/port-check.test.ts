import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Server,
  type Socket,
} from 'node:net';
import { PortCheck } from '@understudy/heartbeat/supervise/port-check';
import { UNREADY_HEADER } from '@understudy/shared/protocol/tenure';
import test, { type ExecutionContext } from 'ava';

/** On a busy machine who answers at all answers within this. */
const PATIENT_MS = 20_000;
/** The same, where somebody is waited for in vain. */
const SHORT_MS = 2_000;

test('A controller that serves under our term is well, asked on one connection and now and then on a new one', async (t) => {
  const sockets = new Set<Socket>();
  const server = createServer((_request, response) => {
    response.setHeader('understudy-term', '5').end();
  });
  server.on('connection', (socket) => sockets.add(socket));
  const check = await checkOf(t, server);
  for (let i = 0; i < 8; i++) t.is(await check.check(5n), null);
  t.is(sockets.size, 3);
});

test('A connection that was closed between two checks is opened again', async (t) => {
  const sockets: Socket[] = [];
  const server = createServer((_request, response) => {
    response.setHeader('understudy-term', '5').end();
  });
  server.on('connection', (socket) => sockets.push(socket));
  const check = await checkOf(t, server);
  t.is(await check.check(5n), null);
  const closed = once(sockets[0] as Socket, 'close');
  sockets[0]?.end();
  await closed;
  t.is(await check.check(5n), null);
  t.is(sockets.length, 2);
});

interface Case {
  readonly what: string;
  readonly answer: RequestListener;
  readonly problem: string;
  readonly timeoutMs?: number;
}

const cases: readonly Case[] = [
  {
    what: 'another term',
    answer: (_request, response) => response.setHeader('understudy-term', '4').end(),
    problem: 'its port answers under term 4, not 5',
  },
  {
    what: 'no term at all',
    answer: (_request, response) => response.end(),
    problem: 'its port answers under term none, not 5',
  },
  {
    what: 'that it is not ready',
    answer: (_request, response) =>
      response.writeHead(503, { [UNREADY_HEADER]: 'the scheduler sleeps' }).end(),
    problem: 'its port answers 503: the scheduler sleeps',
  },
  {
    what: 'nothing',
    answer: () => undefined,
    problem: 'its port does not answer within 2000 ms',
    timeoutMs: SHORT_MS,
  },
  {
    what: 'by closing the connection',
    answer: (request) => request.socket.destroy(),
    problem: 'its port does not answer: the connection was closed',
  },
];

for (const { what, answer, problem, timeoutMs } of cases) {
  test(`F27: a port that answers ${what} is not well`, async (t) => {
    const check = await checkOf(t, createServer(answer), timeoutMs);
    t.is(await check.check(5n), problem);
  });
}

test('A port that talks without end, or something else than HTTP, is not well', async (t) => {
  const talk = async (text: string) => {
    const server = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      socket.write(text);
    });
    return (await checkOf(t, server)).check(5n);
  };
  t.is(await talk('x'.repeat(20_000)), 'its port answers something endless');
  t.is(await talk('220 mail.example\r\n\r\n'), 'its port answers something else than HTTP');
});

test('A port on which nobody listens is not well', async (t) => {
  const check = new PortCheck({
    listen: { host: '127.0.0.1', port: 1 },
    timeoutMs: 300,
    isSecure: false,
  });
  t.regex((await check.check(5n)) ?? '', /^its port does not answer: .*ECONNREFUSED/);
});

test('F102: new connections that wait in a storm do not count while others are taken, and are heard when they come', async (t) => {
  const sockets: Socket[] = [];
  let taken = 0;
  const server = createServer((_request, response) => {
    taken += 1;
    response.setHeader('understudy-taken', taken).setHeader('understudy-term', '5').end();
  });
  const check = await checkOf(t, waitingRoom(server, sockets), SHORT_MS);
  for (let i = 1; i <= 6; i++) t.is(await check.check(5n), null);
  t.is(sockets.length, 2, 'the one that waits is not given up for another one');
  server.emit('connection', sockets[1]);
  t.is(await check.check(5n), null);
});

test('F12: a port that takes nobody any more is not well, though the kept connection answers', async (t) => {
  const sockets: Socket[] = [];
  const server = createServer((_request, response) => {
    response.setHeader('understudy-taken', 1).setHeader('understudy-term', '5').end();
  });
  const check = await checkOf(t, waitingRoom(server, sockets), SHORT_MS);
  const found: (string | null)[] = [];
  for (let i = 1; i <= 5; i++) found.push(await check.check(5n));
  const deaf = 'its port takes no new connection within 2000 ms';
  t.deepEqual(found, [null, null, null, deaf, deaf]);
  t.is(sockets.length, 3, 'each time another one was tried');
});

test('F102: an answer that comes late still shows that the controller answers', async (t) => {
  let answerAll = (): void => undefined;
  let isSlow = false;
  let taken = 0;
  const server = createServer((_request, response) => {
    taken += 1;
    response.setHeader('understudy-taken', taken);
    const answer = () => response.setHeader('understudy-term', '5').end();
    const before = answerAll;
    if (isSlow) answerAll = () => [before(), answer()];
    else answer();
  });
  const check = await checkOf(t, server, SHORT_MS);
  t.is(await check.check(5n), null);
  isSlow = true;
  t.is(await check.check(5n), 'its port does not answer within 2000 ms');
  setTimeout(() => answerAll(), 10);
  t.is(await check.check(5n), null, 'on the connection that was kept');
});

/** Takes the first connection at once; the next ones wait. */
function waitingRoom(server: Server, sockets: Socket[]): Server {
  return createTcpServer((socket) => {
    if (sockets.push(socket) === 1) server.emit('connection', socket);
  });
}

async function checkOf(
  t: ExecutionContext,
  server: Server,
  timeoutMs = PATIENT_MS,
): Promise<PortCheck> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const check = new PortCheck({ listen: { host: '127.0.0.1', port }, timeoutMs, isSecure: false });
  t.teardown(() => {
    check.stop();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return check;
}
