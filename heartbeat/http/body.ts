import type { IncomingMessage } from 'node:http';

const LIMIT_BYTES = 16_384;
const WITHIN_MS = 2_000;

export type Body =
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'not-json' | 'too-large' | 'too-slow' };

/**
 * Reads a small JSON body within a time limit. No body at all counts as an empty object. The connection is
 * left open, so that a refusal can be answered.
 */
export function readJsonBody(request: IncomingMessage): Promise<Body> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const finish = (body: Body) => {
      clearTimeout(timer);
      request.off('data', take);
      resolve(body);
    };
    const take = (chunk: Buffer) => {
      length += chunk.length;
      if (length > LIMIT_BYTES) return finish({ kind: 'too-large' });
      chunks.push(chunk);
    };
    const timer = setTimeout(() => finish({ kind: 'too-slow' }), WITHIN_MS);
    request.on('data', take);
    request.once('end', () => finish(parse(Buffer.concat(chunks).toString('utf8'))));
    // The asker broke off: there is nobody to answer.
    request.once('error', () => finish({ kind: 'too-slow' }));
  });
}

function parse(text: string): Body {
  if (text.trim() === '') return { kind: 'json', value: {} };
  try {
    return { kind: 'json', value: JSON.parse(text) };
  } catch {
    return { kind: 'not-json' };
  }
}
