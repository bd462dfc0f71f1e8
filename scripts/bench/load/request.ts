import { type Agent, type IncomingMessage, request } from 'node:http';
import { messageOf } from '@understudy/shared/runtime/errors';
import type { Target } from '../prober.ts';

export interface Ask {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  /** False: a connection of its own, closed after the answer. */
  readonly agent: Agent | false;
}

export type Answer =
  | { readonly kind: 'answered'; readonly status: number; readonly body: string }
  /** Nothing was sent: nobody listens there. */
  | { readonly kind: 'refused'; readonly why: string }
  /** It may have arrived, and got no whole answer. */
  | { readonly kind: 'broken'; readonly why: string };

const TIMEOUT_MS = 10_000;

/** Sends one request, once. Never rejects. */
export function ask(
  target: Target,
  { method, path, headers, body, agent }: Ask,
  timeoutMs = TIMEOUT_MS,
): Promise<Answer> {
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(timeoutMs);
    const sent = request({ ...target, method, path, headers, agent, signal });
    sent.on('error', (error: NodeJS.ErrnoException) => {
      const why = error.code ?? messageOf(error);
      resolve({ kind: error.code === 'ECONNREFUSED' ? 'refused' : 'broken', why });
    });
    sent.on('response', (response) => {
      whole(response).then(resolve, (error: unknown) => {
        resolve({ kind: 'broken', why: messageOf(error) });
      });
    });
    sent.end(body ?? undefined);
  });
}

async function whole(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  if (!response.complete) return { kind: 'broken', why: 'the answer was cut short' };
  const body = Buffer.concat(chunks).toString('utf8');
  return { kind: 'answered', status: response.statusCode ?? 0, body };
}
