import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { messageOf } from '../errors.ts';
import { describeCertificate } from './certificate.ts';
import { faultWords } from './faults.ts';
import { describeMember, describeMembers, isSameMember, type Member } from './member.ts';
import type { CertificateId } from './revoked.ts';

/** Which certificate the other side of a connection has shown. */
export type Shown =
  | { readonly type: 'none' }
  /** There is no TLS, and the port accepts that: nobody can show anything there, and his token is enough. */
  | { readonly type: 'plain' }
  /** One that proves nothing here, and why. */
  | { readonly type: 'refused'; readonly reason: string }
  | { readonly type: 'good'; readonly members: readonly Member[]; readonly id: CertificateId };

/** Why somebody is not believed to be who he says he is. */
export interface Doubt {
  readonly code: 'certificate-needed' | 'certificate-refused' | 'wrong-certificate';
  readonly status: 401 | 403;
  readonly message: string;
}

const known = new WeakMap<Duplex, Shown>();

/** The certificate that was shown on a connection; looked at once, for it does not change. */
export function shownOn(socket: Duplex): Shown {
  const before = known.get(socket);
  if (before !== undefined) return before;
  const shown = lookAt(socket);
  known.set(socket, shown);
  return shown;
}

/** What is known of it from elsewhere. */
export function rememberShown(socket: Duplex, shown: Shown): void {
  known.set(socket, shown);
}

/** Why whoever is at the other side of a connection does not count as this member; null: he does. */
export function doubtOf(socket: Duplex, member: Member): Doubt | null {
  const shown = shownOn(socket);
  const doubt = strangerDoubt(shown);
  if (doubt !== null || shown.type !== 'good') return doubt;
  if (shown.members.some((each) => isSameMember(each, member))) return null;
  const message = `the certificate is made for ${describeMembers(shown.members)}, not for ${describeMember(member)}`;
  return { code: 'wrong-certificate', status: 403, message };
}

/** Why whoever is there does not count as any node of the pair; null: he does. */
export function nodeDoubtOf(socket: Duplex, pair: string): Doubt | null {
  const shown = shownOn(socket);
  const doubt = strangerDoubt(shown);
  if (doubt !== null || shown.type !== 'good') return doubt;
  if (shown.members.some((each) => each.pair === pair && each.kind === 'node')) return null;
  const message = `the certificate is made for ${describeMembers(shown.members)}; expected one of a node of the pair ${pair}`;
  return { code: 'wrong-certificate', status: 403, message };
}

function strangerDoubt(shown: Shown): Doubt | null {
  if (shown.type === 'good' || shown.type === 'plain') return null;
  if (shown.type === 'refused') {
    const message = `the certificate is refused: ${shown.reason}`;
    return { code: 'certificate-refused', status: 403, message };
  }
  const message = 'a certificate is needed here beside the token: set tls in the configuration';
  return { code: 'certificate-needed', status: 401, message };
}

/**
 * `authorized` alone says nothing: it is true, too, on a session that is used again and began without a certificate.
 * So the certificate itself must be there. One that expired since that session began does not count any more.
 */
function lookAt(socket: Duplex): Shown {
  const certificate = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
  if (!(socket instanceof TLSSocket) || certificate === undefined) return { type: 'none' };
  if (!socket.authorized) {
    return { type: 'refused', reason: faultWords(String(socket.authorizationError)) };
  }
  try {
    const { members, untilMs, issuer, serial } = describeCertificate(certificate);
    if (Date.now() > untilMs) return { type: 'refused', reason: faultWords('CERT_HAS_EXPIRED') };
    return { type: 'good', members, id: { issuer, serial } };
  } catch (error) {
    // Whatever strangers show ends nobody.
    return { type: 'refused', reason: `it can't be read: ${messageOf(error)}` };
  }
}
