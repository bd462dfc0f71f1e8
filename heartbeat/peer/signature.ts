import { createHmac } from 'node:crypto';
import { isSameSecret } from '@understudy/shared/runtime/secret';

/** Signs an answer for the asker's nonce with the pair's token: hexadecimal HMAC-SHA-256. */
export function sign(token: string, nonce: string, body: string): string {
  return createHmac('sha256', token).update(nonce).update('\n').update(body).digest('hex');
}

/** Whether that answer was made for this nonce by somebody who has the token. */
export function isSignedBy(token: string, nonce: string, body: string, signature: string): boolean {
  return isSameSecret(sign(token, nonce, body), signature);
}

/** The header that carries the signature of an answer. */
export const SIGNATURE_HEADER = 'understudy-signature';
