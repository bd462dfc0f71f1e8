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

/**
 * The headers of a message that go on to the other side, as names and values in turn, spelled and repeated as
 * they came. `via`: who sends a request on, null for an answer.
 */
export function endToEnd(message: IncomingMessage, via: string | null): string[] {
  const { rawHeaders, headers } = message;
  const named = (headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase());
  const dropped = new Set([...hopByHop, ...named]);
  // The length of a request's body stays as it was told; an answer's is told anew where it was in chunks.
  if (via === null) dropped.add('transfer-encoding');
  const kept: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const [name = '', value = ''] = rawHeaders.slice(at, at + 2);
    if (!dropped.has(name.toLowerCase())) kept.push(name, value);
  }
  if (via !== null) kept.push('Via', `${message.httpVersion} understudy-${via}`);
  return kept;
}
