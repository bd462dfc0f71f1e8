import { createHmac, timingSafeEqual } from 'node:crypto';

/** Signs an answer for the asker's nonce with the pair's token: hexadecimal HMAC-SHA-256. */
export function sign(token: string, nonce: string, body: string): string {
  return createHmac('sha256', token).update(nonce).update('\n').update(body).digest('hex');
}

/** Whether that answer was made for this nonce by somebody who has the token. */
export function isSignedBy(token: string, nonce: string, body: string, signature: string): boolean {
  return isSameSecret(sign(token, nonce, body), signature);
}

/** Compares secrets in a time that does not tell where they differ. */
export function isSameSecret(expected: string, given: string): boolean {
  const digest = (text: string) => createHmac('sha256', 'compare').update(text).digest();
  return timingSafeEqual(digest(expected), digest(given));
}

/** The header that carries the signature of an answer. */
export const SIGNATURE_HEADER = 'understudy-signature';
