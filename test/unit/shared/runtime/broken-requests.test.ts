import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { answerBrokenRequests } from '@understudy/shared/runtime/broken-requests';
import test, { type ExecutionContext } from 'ava';

const LIMIT_MS = 20_000;

/** Sends text to a server and gives everything that it answers until the connection is closed. */
async function answersOf(t: ExecutionContext, text: string, handle: RequestListener) {
  const server: Server = createServer(
    { headersTimeout: 100, requestTimeout: 200, connectionsCheckingInterval: 50 },
    handle,
  );
  answerBrokenRequests(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  let received = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    received += chunk;
  });
  socket.on('error', () => undefined);
  socket.write(text);
  await once(socket, 'close', { signal: AbortSignal.timeout(LIMIT_MS) });
  return received;
}

const never: RequestListener = () => undefined;

for (const [what, text, status, code] of [
  ['bytes that are no request', '\0\0\r\n\r\n', 400, 'invalid'],
  ['a header of 100 KB', `GET / HTTP/1.1\r\nA: ${'x'.repeat(100_000)}`, 431, 'headers-too-large'],
  ['a request that stays unfinished', 'GET / HTTP/1.1\r\nHost: x\r\n', 408, 'too-slow'],
] as const) {
  test(`F92: ${what} is answered ${status} with a code, and the connection ends`, async (t) => {
    const answer = await answersOf(t, text, never);
    t.true(answer.startsWith(`HTTP/1.1 ${status} `), answer);
    t.is(
      (JSON.parse(answer.split('\r\n\r\n')[1] ?? '') as { error: { code: string } }).error.code,
      code,
    );
  });
}

test('F92: garbage after a request whose answer is under way ends the connection, and adds nothing', async (t) => {
  const request = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
  const answer = await answersOf(t, `${request}\0\0\r\n\r\n`, (_request, response) => {
    response.write('the beginning of a long answer');
  });
  t.false(answer.includes('400'), answer);
});
