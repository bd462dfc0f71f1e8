import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** What is no request at all, or comes too slowly: an answer like any other, and the connection ends. */
const answers = {
  HPE_HEADER_OVERFLOW: [
    '431 Request Header Fields Too Large',
    'headers-too-large',
    'the headers are too large',
  ],
  ERR_HTTP_REQUEST_TIMEOUT: [
    '408 Request Timeout',
    'too-slow',
    'the request did not arrive in time',
  ],
  other: ['400 Bad Request', 'invalid', 'this is not an HTTP request'],
} as const;

/** So long a sender may go on before it is cut off: closed at once, it would never see the answer. */
const LINGER_MS = 1_000;

/**
 * Answers what the HTTP parser refuses, in the one shape of an error. Never in the midst of another
 * answer: there it would be taken for a part of it, so the connection is just closed.
 */
export function answerBrokenRequests(server: Server): void {
  const underWay = new WeakMap<object, number>();
  const refused = new WeakSet<object>();
  server.on('request', ({ socket }, response) => {
    const change = (by: number) => underWay.set(socket, (underWay.get(socket) ?? 0) + by);
    change(1);
    response.once('close', () => change(-1));
  });
  server.on('clientError', (error: NodeJS.ErrnoException, stream) => {
    // Everything that still comes in is refused once more.
    if (refused.has(stream)) return;
    refused.add(stream);
    const socket = stream as Socket;
    if (!socket.writable || (underWay.get(socket) ?? 0) > 0) {
      socket.destroy();
      return;
    }
    socket.end(answerTo(error.code));
    const cut = setTimeout(() => socket.destroy(), LINGER_MS);
    socket.once('close', () => clearTimeout(cut));
  });
}

function answerTo(code: string | undefined): string {
  const isKnown = code === 'HPE_HEADER_OVERFLOW' || code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const [status, name, message] = answers[isKnown ? code : 'other'];
  const body = JSON.stringify({ error: { code: name, message } });
  const head = [
    `HTTP/1.1 ${status}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${body.length}`,
    'Connection: close',
  ];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}
