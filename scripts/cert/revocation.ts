// The library looks for it when it is loaded.
import 'reflect-metadata';
import { PemConverter, X509Certificate, X509CrlGenerator, X509CrlReason } from '@peculiar/x509';
import type { Revocation } from '@understudy/shared/runtime/tls/revocation-list';
import { type KeyPair, SIGNATURE, signingKeyOf } from './authority.ts';

/**
 * Writes the list of all that an authority has revoked, as PEM. It says nothing of when another one is due: a list that
 * nobody renews must not stop a pair.
 */
export async function makeRevocationList(
  authority: KeyPair,
  revocations: readonly Revocation[],
  now: Date,
): Promise<string> {
  const list = await X509CrlGenerator.create({
    issuer: new X509Certificate(authority.certificate).subject,
    thisUpdate: now,
    entries: revocations.map(({ serial, atMs }) => ({
      serialNumber: serial,
      revocationDate: new Date(atMs),
      reason: X509CrlReason.keyCompromise,
    })),
    ...{ signingKey: await signingKeyOf(authority), signingAlgorithm: SIGNATURE },
  });
  return `${PemConverter.encode(list.rawData, 'X509 CRL')}\n`;
}
