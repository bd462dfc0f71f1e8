import { X509Certificate } from 'node:crypto';
import { type Member, membersIn } from './member.ts';

/** What stands in a certificate. Instants are milliseconds since 1970. */
export interface Certificate {
  readonly subject: string;
  readonly issuer: string;
  /** For whom it is made. */
  readonly members: readonly Member[];
  /** All its names as they stand in it: host names, addresses, URIs. */
  readonly names: string;
  readonly fromMs: number;
  readonly untilMs: number;
  /** Its number among those that its issuer has signed, in hexadecimal digits. */
  readonly serial: string;
  /** SHA-256, as other tools show it. */
  readonly fingerprint: string;
  /** Whether it may sign others. */
  readonly isAuthority: boolean;
  /** For what it may be used, as object identifiers; empty: for everything. */
  readonly uses: readonly string[];
}

/** Object identifiers of what a certificate may be used for. */
export const uses = { server: '1.3.6.1.5.5.7.3.1', client: '1.3.6.1.5.5.7.3.2' } as const;

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
/** No chain that is meant seriously is longer. */
const MOST_LINKS = 8;

/** The certificates of a text in PEM, in their order. Throws for one that is none. */
export function parseCertificates(pem: string): X509Certificate[] {
  return Array.from(pem.matchAll(BLOCK), ([block]) => new X509Certificate(block));
}

/** What stands in it. */
export function describeCertificate(certificate: X509Certificate): Certificate {
  const names = certificate.subjectAltName ?? '';
  return {
    subject: oneLine(certificate.subject),
    issuer: oneLine(certificate.issuer),
    ...{ members: membersIn(names), names },
    fromMs: Date.parse(certificate.validFrom),
    untilMs: Date.parse(certificate.validTo),
    serial: certificate.serialNumber,
    fingerprint: certificate.fingerprint256,
    isAuthority: certificate.ca,
    uses: certificate.keyUsage ?? [],
  };
}

/** Whether a certificate leads, over those that came with it, to one of the authorities. */
export function leadsTo(
  authorities: readonly X509Certificate[],
  [first, ...between]: readonly X509Certificate[],
): boolean {
  let at = first;
  for (let links = 0; at !== undefined && links < MOST_LINKS; links++) {
    const below = at;
    const isIssuer = (other: X509Certificate) =>
      below.checkIssued(other) && below.verify(other.publicKey);
    if (authorities.some(isIssuer)) return true;
    at = between.find(isIssuer);
  }
  return false;
}

/** Node has no text for an empty name, as it is where only the alternative names count. */
function oneLine(name: string | undefined): string {
  return (name ?? '').replaceAll('\n', ', ');
}
