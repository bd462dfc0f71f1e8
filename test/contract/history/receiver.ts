import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Notice } from '@understudy/shared/protocol/hooks';

export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly notice: Notice;
}

/** Who is told: keeps what comes, and answers as a test wants. */
export class Receiver {
  readonly received: Received[] = [];
  readonly port: number;
  readonly #server: Server;
  #arrived: () => void = () => undefined;
  /** The status for what comes; null: no answer at all. */
  answer: (received: Received) => number | null = () => 204;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  static async open(owner: { teardown(undo: () => unknown): void }, port = 0): Promise<Receiver> {
    const server = createServer();
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    const receiver = new Receiver(server, (server.address() as AddressInfo).port);
    server.on('request', (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        const { headers, url: path = '' } = request;
        const received = { path, headers, text, notice: JSON.parse(text) as Notice };
        const status = receiver.answer(received);
        receiver.received.push(received);
        receiver.#arrived();
        if (status === null) return;
        response.writeHead(status, status === 302 ? { location: '/elsewhere' } : {}).end('heard');
      });
    });
    owner.teardown(() => receiver.close());
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/hook`;
  }

  /** Waits until something that fits has come, and gives it. */
  async first(fits: (received: Received) => boolean): Promise<Received> {
    for (;;) {
      const found = this.received.find(fits);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
      });
    }
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
