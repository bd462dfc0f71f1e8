import { Agent, type IncomingMessage, request } from 'node:http';
import { messageOf } from '@understudy/shared/runtime/errors';

export interface CallerOptions {
  /** The socket at which the stage listens. */
  readonly path: string;
  readonly token: string;
  readonly signal: AbortSignal;
}

export interface Asked {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Sends requests to the stage, as users and workers do. */
export class Caller {
  readonly #options: CallerOptions;
  readonly #agent = new Agent({ keepAlive: true });

  constructor(options: CallerOptions) {
    this.#options = options;
  }

  /** The body of the answer. Rejects when it is no success. */
  async ask(asked: Asked): Promise<unknown> {
    const response = await this.open(asked);
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString('utf8');
    const status = response.statusCode ?? 0;
    if (status >= 300) throw new Error(`${asked.method} ${asked.path}: ${status} ${text}`);
    return text === '' ? null : JSON.parse(text);
  }

  /** The answer as soon as it begins. */
  open({ method, path, body, headers }: Asked): Promise<IncomingMessage> {
    const { path: socketPath, token, signal } = this.#options;
    const text = body === undefined ? null : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const sent = request({
        ...{ socketPath, path, method, signal, agent: this.#agent },
        headers: {
          Authorization: `Bearer ${token}`,
          ...(text === null ? {} : { 'Content-Type': 'application/json' }),
          ...headers,
        },
      });
      sent.once('response', resolve);
      sent.once('error', (error) => reject(new Error(`${method} ${path}: ${messageOf(error)}`)));
      sent.end(text ?? undefined);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
