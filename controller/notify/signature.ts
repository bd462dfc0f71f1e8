import { createHmac } from 'node:crypto';

/**
 * Signs what is sent, together with when: a receiver that checks both can't be given an old notice as a new
 * one. It computes the same from its secret, the header `Understudy-Timestamp` and the body to the byte.
 */
export function signatureOf(secret: string, timestamp: string, body: string): string {
  return `sha256=${createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex')}`;
}
