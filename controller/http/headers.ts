import type { IncomingMessage } from 'node:http';

/** Headers that are about one connection, and end with it (RFC 9110, 7.6.1). */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'upgrade',
  // The first server on the way has answered it already.
  'expect',
]);

export interface Onward {
  /** Who sends it on. */
  readonly via: string;
  /** The length of its body; null: it passes through, and its own headers tell how. */
  readonly length: number | null;
}

/**
 * The headers of a message that go on to the other side, as names and values in turn, spelled and repeated as
 * they came. `onward`: of a request; null for an answer.
 */
export function endToEnd(message: IncomingMessage, onward: Onward | null): string[] {
  const { rawHeaders, headers } = message;
  const named = (headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase());
  const dropped = new Set([...hopByHop, ...named]);
  const length = onward?.length ?? null;
  const isWhole = onward !== null && length !== null;
  // An answer that came in chunks is cut anew, and a request whose body is known tells its length.
  if (onward === null || isWhole) dropped.add('transfer-encoding');
  if (isWhole) dropped.add('content-length');
  const kept: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const [name = '', value = ''] = rawHeaders.slice(at, at + 2);
    if (!dropped.has(name.toLowerCase())) kept.push(name, value);
  }
  const hadBody = ['content-length', 'transfer-encoding'].some((name) => name in headers);
  if (isWhole && (length > 0 || hadBody)) kept.push('Content-Length', `${length}`);
  if (onward !== null) kept.push('Via', `${message.httpVersion} understudy-${onward.via}`);
  return kept;
}
