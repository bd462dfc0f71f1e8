import type { ServerResponse } from 'node:http';

/** A client that lets so many bytes wait does not listen any more. */
const MAX_BACKLOG_BYTES = 16 * 1024 * 1024;

/** One stream of Server-Sent Events to one client. */
export class EventStream {
  readonly #response: ServerResponse;

  constructor(response: ServerResponse) {
    this.#response = response;
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    response.flushHeaders();
    // Without traffic of the client's own, the kernel finds out whether it is still there.
    response.socket?.setKeepAlive(true, 2_000);
  }

  send(event: string, data: string, id?: string): void {
    if (this.#response.writableLength > MAX_BACKLOG_BYTES) {
      this.#response.destroy();
      return;
    }
    const head = id === undefined ? '' : `id: ${id}\n`;
    this.#response.write(`${head}event: ${event}\ndata: ${data}\n\n`);
  }

  /** A line that clients pass over; keeps proxies from closing a quiet stream. */
  comment(text: string): void {
    this.#response.write(`: ${text}\n\n`);
  }

  close(): void {
    this.#response.end();
  }

  onClose(listener: () => void): void {
    this.#response.once('close', listener);
  }
}
