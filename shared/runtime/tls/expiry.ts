import type { Material } from './material.ts';

const DAY_MS = 86_400_000;

/** From so long before its end on a certificate is warned of. */
export const WARN_BEFORE_MS = 21 * DAY_MS;

/** How long what is shown to others, and what they judge it by, are still good for. */
export interface Expiry {
  readonly what: 'certificate' | 'authority';
  /** Milliseconds since 1970. */
  readonly untilMs: number;
  /** Below 0: it has expired. */
  readonly leftMs: number;
}

/** When the own certificate ends, and the authority that has signed it. */
export function expiriesOf({ certificate, authorities }: ExpiringMaterial, now: number): Expiry[] {
  const signers = authorities.filter(({ subject }) => subject === certificate.issuer);
  const authorityUntilMs = Math.max(
    ...(signers.length === 0 ? authorities : signers).map(({ untilMs }) => untilMs),
  );
  return [
    { what: 'certificate', untilMs: certificate.untilMs, leftMs: certificate.untilMs - now },
    { what: 'authority', untilMs: authorityUntilMs, leftMs: authorityUntilMs - now },
  ];
}

type ExpiringMaterial = Pick<Material, 'certificate' | 'authorities'>;

/** Those of which people have to be warned now. */
export function expiringSoon(material: ExpiringMaterial, now: number): Expiry[] {
  return expiriesOf(material, now).filter(({ leftMs }) => leftMs < WARN_BEFORE_MS);
}

/** Whether to warn now, having warned at `warnedAt` (null: never): once a day. */
export function isWarningDue(warnedAt: number | null, now: number): boolean {
  return warnedAt === null || now - warnedAt >= DAY_MS || now < warnedAt;
}

/** An expiry in a sentence. */
export function describeExpiry({ what, untilMs, leftMs }: Expiry): string {
  const name =
    what === 'certificate' ? 'the certificate of this host' : 'the authority of the certificates';
  const date = new Date(untilMs).toISOString();
  if (leftMs < 0) return `${name} has expired on ${date}: others refuse new connections`;
  const days = Math.floor(leftMs / DAY_MS);
  return `${name} expires in ${days === 1 ? '1 day' : `${days} days`}, on ${date}`;
}
