import type { IncomingMessage } from 'node:http';
import { Refusal } from '../work/refusal.ts';

/** Bodies that were read before the application was asked: it takes them from here. */
const bodies = new WeakMap<IncomingMessage, string>();

/**
 * Reads the whole body of a short request, and calls back with it. A request that breaks off is never heard of
 * again; one whose sender is slow is ended by the server.
 */
export function readAhead(request: IncomingMessage, then: (body: string) => void): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.once('end', () => {
    const body = Buffer.concat(chunks).toString('utf8');
    bodies.set(request, body);
    then(body);
  });
}

/** What was read ahead, as it came and parsed; null: nothing was. Refuses what is no JSON. */
export function takeReadAhead(request: IncomingMessage): { raw: string; parsed: unknown } | null {
  const raw = bodies.get(request);
  if (raw === undefined) return null;
  try {
    return { raw, parsed: JSON.parse(raw) };
  } catch {
    throw new Refusal('invalid', 'the body is not valid JSON');
  }
}
