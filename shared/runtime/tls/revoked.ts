import type { X509Certificate } from 'node:crypto';
import { describeCertificate } from './certificate.ts';
import { parseRevocationLists } from './revocation-list.ts';

/** What tells a certificate from every other one. */
export interface CertificateId {
  readonly issuer: string;
  readonly serial: string;
}

/** The certificates that count no more, though an authority has signed them. */
export interface Revoked {
  readonly count: number;
  /** When the earliest of their lists was to be followed by another one; null: nothing was said. */
  readonly nextMs: number | null;
  has(id: CertificateId): boolean;
}

export const nothingRevoked: Revoked = { count: 0, nextMs: null, has: () => false };

/**
 * What the lists of a text in PEM revoke. Each must be signed by one of the authorities, for whose certificates alone it
 * counts; one that is older than its maker had in mind counts on. Throws for what can't be used.
 */
export function revokedIn(pem: string, authorities: readonly X509Certificate[]): Revoked {
  const lists = parseRevocationLists(pem);
  if (lists.length === 0) throw new Error('it holds no list of revoked certificates; expected PEM');
  const keys = new Set<string>();
  for (const list of lists) {
    const authority = authorities.find(({ publicKey }) => list.isSignedBy(publicKey));
    if (authority === undefined) throw new Error('it is not signed by an authority in tls.ca');
    const issuer = describeCertificate(authority).subject;
    for (const { serial } of list.revocations) keys.add(keyOf({ issuer, serial }));
  }
  const dates = lists.flatMap(({ nextMs }) => (nextMs === null ? [] : [nextMs]));
  return {
    count: keys.size,
    nextMs: dates.length === 0 ? null : Math.min(...dates),
    has: (id) => keys.has(keyOf(id)),
  };
}

function keyOf({ issuer, serial }: CertificateId): string {
  return `${serial} of ${issuer}`;
}
