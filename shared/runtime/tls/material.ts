import { createPrivateKey, type KeyObject, type X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import { messageOf } from '../errors.ts';
import {
  type Certificate,
  describeCertificate,
  leadsTo,
  parseCertificates,
  uses,
} from './certificate.ts';
import { describeMembers, isSameMember, type Member, memberUri } from './member.ts';
import { nothingRevoked, type Revoked, revokedIn } from './revoked.ts';

/** The contents of the files. */
export interface TlsTexts {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
  /** Null: nothing is revoked. */
  readonly crl: string | null;
}

/** What a member of a pair shows to others, and by which it judges what they show: texts that fit together. */
export interface Material extends TlsTexts {
  readonly certificate: Certificate;
  /** Whose signatures are accepted. */
  readonly authorities: readonly Certificate[];
  readonly context: SecureContext;
  readonly revoked: Revoked;
}

export type JudgedMaterial =
  | { readonly type: 'good'; readonly material: Material }
  /** The problem begins with the setting that is at fault, and tells nothing of the key. */
  | { readonly type: 'bad'; readonly problem: string };

/**
 * Judges whether the texts fit together and belong to `self`: others would refuse what they show, and it is better
 * known here and now. Whether it is valid at this hour is another question, for that changes by itself.
 */
export function judgeMaterial(texts: TlsTexts, self: Member): JudgedMaterial {
  try {
    return { type: 'good', material: checked(texts, self) };
  } catch (error) {
    return { type: 'bad', problem: messageOf(error) };
  }
}

function checked(texts: TlsTexts, self: Member): Material {
  const chain = parsed('tls.cert', () => parseCertificates(texts.cert));
  const key = parsed('tls.key', () => createPrivateKey(texts.key));
  const authorities = parsed('tls.ca', () => parseCertificates(texts.ca));
  const [own] = chain;
  if (own === undefined) throw new Error('tls.cert holds no certificate; expected PEM');
  if (authorities.length === 0) throw new Error('tls.ca holds no certificate; expected PEM');
  requireFit({ chain, own, key, authorities });
  const certificate = describeCertificate(own);
  requireOwner(certificate, self);
  const { cert, ca, crl } = texts;
  const context = parsed('tls', () => createSecureContext({ cert, key: texts.key, ca }));
  const revoked =
    crl === null ? nothingRevoked : parsed('tls.crl', () => revokedIn(crl, authorities));
  return {
    ...{ ...texts, certificate, context, revoked },
    authorities: authorities.map(describeCertificate),
  };
}

interface Parts {
  readonly chain: readonly X509Certificate[];
  readonly own: X509Certificate;
  readonly key: KeyObject;
  readonly authorities: readonly X509Certificate[];
}

function requireFit({ chain, own, key, authorities }: Parts): void {
  if (!own.checkPrivateKey(key)) {
    throw new Error('tls.key is not the key of the certificate in tls.cert');
  }
  if (!leadsTo(authorities, chain)) {
    throw new Error(
      'tls.cert is not signed by an authority in tls.ca, nor over certificates that follow it in its file',
    );
  }
}

function requireOwner({ members, uses: allowed }: Certificate, self: Member): void {
  if (!members.some((member) => isSameMember(member, self))) {
    throw new Error(
      `tls.cert is made for ${describeMembers(members)}; expected the URI ${memberUri(self)} among its names`,
    );
  }
  const needed = self.kind === 'node' ? [uses.server, uses.client] : [uses.client];
  if (allowed.length > 0 && !needed.every((use) => allowed.includes(use))) {
    const words = self.kind === 'node' ? 'for servers and clients' : 'for clients';
    throw new Error(`tls.cert may not be used ${words}, as its extended key usage says`);
  }
}

function parsed<T>(setting: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new Error(`${setting} can't be used: ${messageOf(error)}`);
  }
}
