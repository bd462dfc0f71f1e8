import { connect, type Socket } from 'node:net';

export interface HttpAnswer {
  readonly status: number;
  readonly headers: string;
  readonly body: string;
}

export interface Asked {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  readonly body?: string | undefined;
  /** Beside those that every request has. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Who hears an answer that has no end of its own. */
export interface StreamListener {
  onText(text: string): void;
  /** The connection is over. */
  onEnd(): void;
}

const HEAD_END = '\r\n\r\n';

/**
 * One kept connection on which one request after the other is sent. It knows just enough of HTTP for a
 * controller's answers: a client of a benchmark must not cost more than what it measures.
 */
export class HttpConnection {
  readonly #port: number;
  readonly #token: string;
  #socket: Socket | null = null;
  #received: Buffer[] = [];
  #length = 0;
  /** The whole length of the answer that is under way, once its head is here. */
  #expected: number | null = null;
  #settle: { resolve(answer: HttpAnswer): void; reject(error: Error): void } | null = null;
  #listener: StreamListener | null = null;

  constructor(port: number, token: string) {
    this.#port = port;
    this.#token = token;
  }

  /** Sends a request and gives its answer. Rejects when the connection ends before. */
  request({ method, path, body = '', headers = {} }: Asked): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      const socket = this.#open();
      const length = `Content-Length: ${Buffer.byteLength(body)}\r\n`;
      const about = body === '' ? '' : `Content-Type: application/json\r\n${length}`;
      const more = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
      socket.write(
        `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${this.#token}\r\n` +
          `${more.join('')}${about}\r\n${body}`,
      );
    });
  }

  /** Sends a request for an answer that ends with its connection, and that nothing follows. */
  listen(path: string, listener: StreamListener): Promise<HttpAnswer> {
    this.#listener = listener;
    return this.request({ method: 'GET', path });
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = null;
  }

  #open(): Socket {
    if (this.#socket !== null) return this.#socket;
    const socket = connect({ host: '127.0.0.1', port: this.#port, noDelay: true });
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      if (this.#socket === socket) this.#socket = null;
      this.#reset();
      const settle = this.#settle;
      this.#settle = null;
      settle?.reject(new Error('the connection ended'));
      this.#listener?.onEnd();
      this.#listener = null;
    });
    return socket;
  }

  #take(chunk: Buffer): void {
    if (this.#listener !== null && this.#settle === null) {
      return this.#listener.onText(chunk.toString('utf8'));
    }
    this.#received.push(chunk);
    this.#length += chunk.length;
    this.#expected ??= this.#lengthFromHead();
    if (this.#expected === null || this.#length < this.#expected) return;
    const text = Buffer.concat(this.#received).toString('utf8');
    this.#reset();
    const end = text.indexOf(HEAD_END);
    const settle = this.#settle;
    this.#settle = null;
    const body = text.slice(end + HEAD_END.length);
    settle?.resolve({ status: Number(text.slice(9, 12)), headers: text.slice(0, end), body });
    if (body !== '') this.#listener?.onText(body);
  }

  #lengthFromHead(): number | null {
    const all = this.#received.length === 1 ? this.#received[0] : Buffer.concat(this.#received);
    const end = all?.indexOf(HEAD_END) ?? -1;
    if (all === undefined || end < 0) return null;
    const length = /\r\ncontent-length: (\d+)/i.exec(all.toString('latin1', 0, end))?.[1] ?? '0';
    return end + HEAD_END.length + Number(length);
  }

  #reset(): void {
    this.#received = [];
    this.#length = 0;
    this.#expected = null;
  }
}
