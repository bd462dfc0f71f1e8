import { connect, type Socket } from 'node:net';

/** How an exchange of bytes went. */
export interface RawAnswer {
  /** Of the first answer; null when there was none. */
  readonly status: number | null;
  readonly headers: ReadonlyMap<string, string>;
  /** Of the first answer, without its framing; only the beginning of a stream of events. */
  readonly body: string;
  /** `answered`: one whole answer is here. `closed`: the other side ended or reset. `silent`: neither in time. */
  readonly end: 'answered' | 'closed' | 'silent';
  readonly tookMs: number;
}

export interface RawOptions {
  readonly port: number;
  /** Sent in this order; a number is a pause in milliseconds. */
  readonly pieces: readonly (string | Buffer | number)[];
  /** So long an answer is waited for. */
  readonly limitMs: number;
  /** Ends our side once everything is sent. */
  readonly halfClose?: boolean;
}

/** Sends bytes as they are, and reads what comes back: no client library mends them on the way. */
export function exchangeRaw(options: RawOptions): Promise<RawAnswer> {
  const startedAt = performance.now();
  return new Promise((resolve) => {
    const socket = connect({ port: options.port, host: '127.0.0.1', allowHalfOpen: true });
    let text = '';
    const finish = (end: RawAnswer['end']) => {
      clearTimeout(limit);
      socket.destroy();
      resolve({ ...split(text), end, tookMs: performance.now() - startedAt });
    };
    const limit = setTimeout(() => finish('silent'), options.limitMs);
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (isWhole(text)) finish('answered');
    });
    socket.on('end', () => finish('closed'));
    // A reset may be all that says no; what came before it counts.
    socket.on('error', () => finish('closed'));
    socket.once('connect', () => void send(socket, options));
  });
}

async function send(socket: Socket, { pieces, halfClose }: RawOptions): Promise<void> {
  for (const piece of pieces) {
    if (socket.destroyed) return;
    if (typeof piece === 'number') {
      await new Promise((resolve) => setTimeout(resolve, piece));
    } else if (!socket.write(piece)) {
      await new Promise<void>((resolve) => {
        socket.once('drain', resolve);
        socket.once('close', resolve);
      });
    }
  }
  if (halfClose) socket.end();
}

function split(text: string): Pick<RawAnswer, 'status' | 'headers' | 'body'> {
  const [head = '', ...rest] = text.split('\r\n\r\n');
  const [line = '', ...lines] = head.split('\r\n');
  const status = /^HTTP\/1\.1 (\d{3}) /.exec(line)?.[1];
  const headers = new Map(
    lines.map((each) => {
      const at = each.indexOf(':');
      return [each.slice(0, at).toLowerCase(), each.slice(at + 1).trim()];
    }),
  );
  const framed = rest.join('\r\n\r\n');
  const length = headers.get('content-length');
  const bytes = length === undefined ? unchunked(framed) : framed.slice(0, Number(length));
  const body = Buffer.from(bytes, 'latin1').toString('utf8');
  return { status: status === undefined ? null : Number(status), headers, body };
}

/** An answer without a length is small here: one chunk, or none. */
function unchunked(framed: string): string {
  const [size = '', ...rest] = framed.split('\r\n');
  return /^[0-9a-f]+$/.test(size) ? rest.join('\r\n').slice(0, Number.parseInt(size, 16)) : framed;
}

function isWhole(text: string): boolean {
  const { status, headers } = split(text);
  if (status === null || !text.includes('\r\n\r\n')) return false;
  const length = headers.get('content-length');
  if (length !== undefined) {
    return text.slice(text.indexOf('\r\n\r\n') + 4).length >= Number(length);
  }
  if (headers.get('transfer-encoding') !== 'chunked') return [204, 304].includes(status);
  // A stream of events or of output may go on for ever: that it began is its answer.
  return /event-stream|octet-stream/.test(headers.get('content-type') ?? '')
    ? true
    : text.endsWith('0\r\n\r\n');
}

export interface RawRequest {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Its length is told, unless a header says something else. */
  readonly body?: string | Buffer;
}

/** A request as bytes, however wrong its parts are. */
export function requestBytes({ method, path, headers = {}, body }: RawRequest): Buffer {
  const bytes = Buffer.from(body ?? '');
  const all = {
    Host: 'fuzz',
    Connection: 'close',
    ...(body === undefined ? {} : { 'Content-Length': String(bytes.length) }),
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  const head = [`${method} ${path} HTTP/1.1`, ...lines, '', ''].join('\r\n');
  return Buffer.concat([Buffer.from(head), bytes]);
}
