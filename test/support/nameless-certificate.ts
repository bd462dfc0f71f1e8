// The library looks for it when it is loaded.
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import {
  PemConverter,
  SubjectAlternativeNameExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { type KeyPair, SIGNATURE, signingKeyOf } from '@understudy/scripts/cert/authority';

const KEY = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const HOUR_MS = 3_600_000;

/** A certificate as many companies issue them: its subject is empty, and only the alternative name counts. */
export async function issueNameless(authority: KeyPair): Promise<KeyPair> {
  const { publicKey, privateKey } = await webcrypto.subtle.generateKey(KEY, true, [
    'sign',
    'verify',
  ]);
  const certificate = await X509CertificateGenerator.create({
    ...{ subject: '', issuer: new X509Certificate(authority.certificate).subject },
    notBefore: new Date(Date.now() - HOUR_MS),
    notAfter: new Date(Date.now() + HOUR_MS),
    ...{ publicKey, signingKey: await signingKeyOf(authority), signingAlgorithm: SIGNATURE },
    extensions: [new SubjectAlternativeNameExtension([{ type: 'dns', value: 'printer' }], true)],
  });
  const key = PemConverter.encode(
    await webcrypto.subtle.exportKey('pkcs8', privateKey),
    'PRIVATE KEY',
  );
  return { certificate: certificate.toString('pem'), key };
}
