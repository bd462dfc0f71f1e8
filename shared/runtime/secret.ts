import { createHmac, timingSafeEqual } from 'node:crypto';

/** Compares secrets in a time that does not tell where, or whether in length, they differ. */
export function isSameSecret(expected: string, given: string): boolean {
  return timingSafeEqual(digest(expected), digest(given));
}

function digest(text: string): Buffer {
  return createHmac('sha256', 'compare').update(text).digest();
}
