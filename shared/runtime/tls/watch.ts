import type { Credentials, Replacement } from './credentials.ts';
import { describeExpiry, expiringSoon, isWarningDue } from './expiry.ts';

/** Something to be said of the own certificate. */
export interface CertificateNews {
  readonly kind:
    | 'certificate-replaced'
    | 'certificate-refused'
    | 'certificate-expires'
    | 'certificate-revoked';
  readonly level: 'error' | 'warn' | 'info';
  readonly message: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

export interface WatchOptions {
  readonly credentials: Credentials;
  readonly wallMs: () => number;
  readonly tell: (news: CertificateNews) => void;
}

const LOOK_EVERY_MS = 600_000;

/** Tells what becomes of the own certificate: that it was replaced, could not be, or will soon expire, once a day. */
export function watchCredentials({ credentials, wallMs, tell }: WatchOptions): { stop(): void } {
  let warnedAt: number | null = null;
  const look = () => {
    const now = wallMs();
    const soon = expiringSoon(credentials.current, now);
    if (soon.length === 0) warnedAt = null;
    if (soon.length === 0 || !isWarningDue(warnedAt, now)) return;
    warnedAt = now;
    for (const each of soon) {
      const { what, untilMs, leftMs } = each;
      const level = leftMs < 0 ? 'error' : 'warn';
      const facts = { what, expiresAt: new Date(untilMs).toISOString() };
      tell({ kind: 'certificate-expires', level, message: describeExpiry(each), facts });
    }
  };
  const forget = credentials.onReplacement((replacement) => {
    tell(newsOf(replacement));
    if (replacement.type === 'refused') return;
    // Of the new one people are warned afresh.
    warnedAt = null;
    look();
  });
  const timer = setInterval(look, LOOK_EVERY_MS).unref();
  look();
  return {
    stop: () => {
      clearInterval(timer);
      forget();
    },
  };
}

function newsOf(replacement: Replacement): CertificateNews {
  if (replacement.type === 'refused') {
    const { problem } = replacement;
    const message = `the files of the certificate were changed and are not used: ${problem}`;
    return { kind: 'certificate-refused', level: 'error', message, facts: { problem } };
  }
  if (replacement.isOfRevokedOnly) {
    const { count } = replacement.material.revoked;
    const message = `the list of revoked certificates was replaced: ${count} count no more, and who is connected with one is cut off`;
    return { kind: 'certificate-revoked', level: 'info', message, facts: { revoked: count } };
  }
  const { untilMs, fingerprint } = replacement.material.certificate;
  const expiresAt = new Date(untilMs).toISOString();
  const message = `the certificate was replaced: new connections use one that is good until ${expiresAt}`;
  const facts = { expiresAt, fingerprint };
  return { kind: 'certificate-replaced', level: 'info', message, facts };
}
