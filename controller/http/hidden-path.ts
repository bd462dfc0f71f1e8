import { randomUUID } from 'node:crypto';

/** A new address in the kernel alone ("abstract"): no file, no port, and nobody else knows it. */
export function hiddenPath(): string {
  return `\0understudy-${randomUUID()}`;
}
