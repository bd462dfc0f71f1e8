import type { RawOptions } from './raw.ts';

type Pieces = RawOptions['pieces'];

const post = (headers: string, body: string): Pieces => [
  `POST /peer/v1/exchange HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n${body}`,
];

const tlsHello = Buffer.from(
  `16030100c8010000c40303${'ab'.repeat(32)}20${'cd'.repeat(32)}00021301010000${'00'.repeat(20)}`,
  'hex',
);

/** What is no request, or two at once: each has to be refused, or its connection closed. */
export const brokenRequests: Readonly<Record<string, Pieces>> = {
  'no host': ['GET /live HTTP/1.1\r\n\r\n'],
  'two hosts': ['GET /live HTTP/1.1\r\nHost: a\r\nHost: b[\r\nX y: z\r\n\r\n'],
  'HTTP/0.9': ['GET /\r\n\r\n'],
  'HTTP/9.9': ['GET / HTTP/9.9\r\nHost: x\r\n\r\n'],
  'no target': ['GET HTTP/1.1\r\nHost: x\r\n\r\n'],
  'a broken target': ['GET http://[ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'],
  'a bare CR': ['GET /live HTTP/1.1\rHost: x\r\r'],
  'a folded header': ['GET /live HTTP/1.1\r\nHost: x\r\n y: z\r\n: \r\n\r\n'],
  'NUL in a header': ['GET /live HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n'],
  'a TLS greeting': [tlsHello],
  'an SSH greeting': ['SSH-2.0-OpenSSH_9.2\r\n'],
  'a PostgreSQL greeting': [Buffer.from('0000000804d2162f', 'hex')],
  'an HTTP/2 preface': ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  'length and chunks': post(
    'Content-Length: 4\r\nTransfer-Encoding: chunked',
    '0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n',
  ),
  'chunks and length': post(
    'Transfer-Encoding: chunked\r\nContent-Length: 4',
    '0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n',
  ),
  'two lengths': post('Content-Length: 4\r\nContent-Length: 40', 'abcdGET /smuggled'),
  'a length that is no number': post('Content-Length: 1e3', 'abcd'),
  'a negative length': post('Content-Length: -1', 'abcd'),
  'a length beyond all bounds': post(`Content-Length: ${'9'.repeat(40)}`, 'abcd'),
  'an unknown transfer coding': post('Transfer-Encoding: xchunked', 'abcd'),
  'chunks in disguise': post('Transfer-Encoding: chunked\r\nTransfer-Encoding: x', '0\r\n\r\n'),
  'a chunk without a size': post('Transfer-Encoding: chunked', 'zz\r\nabcd\r\n0\r\n\r\n'),
  'a negative chunk': post('Transfer-Encoding: chunked', '-1\r\nabcd\r\n0\r\n\r\n'),
  'a chunk beyond all bounds': post('Transfer-Encoding: chunked', `${'f'.repeat(40)}\r\nabcd`),
  'an endless chunk extension': post('Transfer-Encoding: chunked', `4;${'x'.repeat(500_000)}`),
  'a header of 1 MB': [`GET /live HTTP/1.1\r\nHost: x\r\nA: ${'x'.repeat(1_000_000)}\r\n\r\n`],
  '100,000 headers': [`GET /live HTTP/1.1\r\nHost: x\r\n${'A: b\r\n'.repeat(100_000)}\r\n`],
  'a target of 1 MB': [`GET /${'x'.repeat(1_000_000)} HTTP/1.1\r\nHost: x\r\n\r\n`],
  'a tunnel': ['CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n'],
  'an upgrade': [
    'GET /none HTTP/1.1\r\nHost: x\r\nConnection: close, Upgrade\r\nUpgrade: websocket\r\n\r\n',
  ],
  'an expectation': [
    'POST /none HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: a miracle\r\n\r\n',
  ],
};
