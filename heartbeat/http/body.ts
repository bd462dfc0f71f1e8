import type { IncomingMessage } from 'node:http';

const BODY_WITHIN_MS = 2_000;

export type Unread = 'too-large' | 'too-slow';

/** Reads a small body within a time limit. The connection is left open, so that a refusal can be answered. */
export function readBody(
  request: IncomingMessage,
  limitBytes: number,
): Promise<{ readonly text: string } | Unread> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const finish = (read: { readonly text: string } | Unread) => {
      clearTimeout(timer);
      request.off('data', take);
      resolve(read);
    };
    const take = (chunk: Buffer) => {
      length += chunk.length;
      if (length > limitBytes) return finish('too-large');
      chunks.push(chunk);
    };
    const timer = setTimeout(() => finish('too-slow'), BODY_WITHIN_MS);
    request.on('data', take);
    request.once('end', () => finish({ text: Buffer.concat(chunks).toString('utf8') }));
    // The asker broke off: there is nobody to answer.
    request.once('error', () => finish('too-slow'));
  });
}
