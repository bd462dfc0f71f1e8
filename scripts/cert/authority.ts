// The library looks for it when it is loaded.
import 'reflect-metadata';
import { randomBytes, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type JsonGeneralName,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { type Member, memberUri } from '@understudy/shared/runtime/tls/member';

/** A certificate and its key, as PEM. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

export interface Validity {
  readonly from: Date;
  readonly until: Date;
}

export interface Order {
  readonly member: Member;
  /** Names and addresses by which others reach it; an agent needs none. */
  readonly hosts: readonly string[];
  readonly validity: Validity;
}

/** Small keys, fast signatures, known to every TLS library since 2011. */
const KEY = { name: 'ECDSA', namedCurve: 'P-256' } as const;
export const SIGNATURE = { name: 'ECDSA', hash: 'SHA-256' } as const;
const SERIAL_BYTES = 16;

/** Makes the authority of a pair: what it signs, the members of the pair accept. It can't make further authorities. */
export async function makeAuthority(pair: string, validity: Validity): Promise<KeyPair> {
  const keys = await makeKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: [{ CN: [`Understudy authority of ${pair}`] }],
    ...{ notBefore: validity.from, notAfter: validity.until },
    ...{ keys, signingAlgorithm: SIGNATURE },
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return keyPairOf(certificate, keys.privateKey);
}

/**
 * Makes the key of a member and a certificate for it. A node answers and asks, an agent only asks: what an agent's
 * certificate says of its use keeps whoever steals it from passing for a server.
 */
export async function issue(authority: KeyPair, order: Order): Promise<KeyPair> {
  const { member, hosts, validity } = order;
  const [keys, signingKey] = await Promise.all([makeKeys(), signingKeyOf(authority)]);
  const issuer = new X509Certificate(authority.certificate);
  const { serverAuth, clientAuth } = ExtendedKeyUsage;
  const names: JsonGeneralName[] = [
    { type: 'url', value: memberUri(member) },
    ...hosts.map(nameOf),
  ];
  const certificate = await X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: [{ CN: [`${member.kind} ${member.id}`] }],
    issuer: issuer.subject,
    ...{ notBefore: validity.from, notAfter: validity.until },
    ...{ publicKey: keys.publicKey, signingKey, signingAlgorithm: SIGNATURE },
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension(
        member.kind === 'node' ? [serverAuth, clientAuth] : [clientAuth],
      ),
      new SubjectAlternativeNameExtension(names),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return keyPairOf(certificate, keys.privateKey);
}

/** The key of an authority, as what signs. */
export async function signingKeyOf({ key }: KeyPair): Promise<webcrypto.CryptoKey> {
  const [der = new ArrayBuffer()] = PemConverter.decode(key);
  return await webcrypto.subtle.importKey('pkcs8', der, KEY, false, ['sign']);
}

async function makeKeys() {
  return await webcrypto.subtle.generateKey(KEY, true, ['sign', 'verify']);
}

async function keyPairOf(certificate: X509Certificate, key: webcrypto.CryptoKey): Promise<KeyPair> {
  const der = await webcrypto.subtle.exportKey('pkcs8', key);
  return {
    certificate: `${certificate.toString('pem')}\n`,
    key: `${PemConverter.encode(der, 'PRIVATE KEY')}\n`,
  };
}

function nameOf(host: string): JsonGeneralName {
  return { type: isIP(host) === 0 ? 'dns' : 'ip', value: host };
}

/** Nobody can guess it; the first bit is 0, for a serial number is above 0. */
function newSerial(): string {
  const bytes = randomBytes(SERIAL_BYTES);
  bytes[0] = 0x40 | ((bytes[0] ?? 0) & 0x3f);
  return bytes.toString('hex');
}
