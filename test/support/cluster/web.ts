import { Agent, type RequestOptions, request } from 'node:https';
import { createSecureContext } from 'node:tls';

export interface WebRequest {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly signal: AbortSignal;
}

export interface WebAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

const trusted = new Set<string>();
let agent = new Agent();

/** From now on servers are believed that this authority has signed. */
export function trust(authority: string): void {
  trusted.add(authority);
  // Made once: to read certificates for each connection takes longer than the connection.
  agent = new Agent({ secureContext: createSecureContext({ ca: [...trusted] }) });
}

/** As `fetch`, which can't be told whom to trust. */
export async function fetchFrom(url: string, asked: WebRequest): Promise<WebAnswer> {
  if (url.startsWith('https://')) return await fetchSecure(url, asked);
  const response = await fetch(url, asked);
  return { status: response.status, headers: response.headers, text: await response.text() };
}

function fetchSecure(url: string, { body, ...asked }: WebRequest): Promise<WebAnswer> {
  const options: RequestOptions = { ...asked, agent };
  return new Promise((resolve, reject) => {
    const sent = request(url, options, async (response) => {
      try {
        const chunks: Buffer[] = [];
        for await (const chunk of response) chunks.push(chunk as Buffer);
        const headers = new Headers();
        for (const [name, value] of Object.entries(response.headers)) headers.set(name, `${value}`);
        const status = response.statusCode ?? 0;
        resolve({ status, headers, text: Buffer.concat(chunks).toString('utf8') });
      } catch (error) {
        reject(error);
      }
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
