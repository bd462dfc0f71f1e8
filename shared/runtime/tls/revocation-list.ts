import { type KeyObject, verify } from 'node:crypto';
import { type Element, elementsIn, tags } from './der.ts';

/** A certificate that counts no more. */
export interface Revocation {
  /** Its serial number, in the form in which Node tells it. */
  readonly serial: string;
  /** Milliseconds since 1970. */
  readonly atMs: number;
}

/**
 * A list of revoked certificates (RFC 5280) as its file holds it. It is read here, and not given to OpenSSL: that accepts
 * nobody any more once a list is older than its maker had in mind, which would take a pair apart, and it looks at
 * nobody again who is connected.
 */
export interface RevocationList {
  readonly revocations: readonly Revocation[];
  /** Until when its maker wanted to write the next one, in milliseconds since 1970; null: he has said nothing. */
  readonly nextMs: number | null;
  readonly isSignedBy: (key: KeyObject) => boolean;
}

const BLOCK = /-----BEGIN X509 CRL-----([^-]+)-----END X509 CRL-----/g;

/** The lists of a text in PEM. Throws for one that can't be read. */
export function parseRevocationLists(pem: string): RevocationList[] {
  return Array.from(pem.matchAll(BLOCK), ([, base64 = '']) =>
    parseOne(Buffer.from(base64, 'base64')),
  );
}

function parseOne(der: Buffer): RevocationList {
  const [list] = elementsIn(der);
  const [signed, algorithm, signature] = elementsIn(sequence(list));
  const [identifier] = elementsIn(sequence(algorithm));
  const bits = signatureIn(signature);
  const whole = signed?.whole ?? Buffer.alloc(0);
  const hash = hashOf(identifier);
  return {
    ...partsOf(elementsIn(sequence(signed))),
    isSignedBy: (key) => isSigned(hash, { whole, key, bits }),
  };
}

/** Its first byte counts the bits that are not used: none. */
function signatureIn(element: Element | undefined): Buffer {
  if (element?.tag !== tags.bits || element.content[0] !== 0) {
    throw new Error('it has no signature');
  }
  return element.content.subarray(1);
}

function isSigned(hash: string | null, { whole, key, bits }: Signed): boolean {
  try {
    return verify(hash, whole, key, bits);
  } catch {
    // A key of another kind than the signature's: not its own.
    return false;
  }
}

interface Signed {
  readonly whole: Buffer;
  readonly key: KeyObject;
  readonly bits: Buffer;
}

/** Version, algorithm, issuer, then what matters here. */
function partsOf(elements: readonly Element[]): Pick<RevocationList, 'revocations' | 'nextMs'> {
  const first = elements.findIndex(isTime);
  if (first < 0) throw new Error('it has no date');
  const [next, ...rest] = elements.slice(first + 1);
  const entries = next !== undefined && isTime(next) ? rest[0] : next;
  const revoked = entries?.tag === tags.sequence ? elementsIn(entries.content) : [];
  return {
    revocations: revoked.map(revocationOf),
    nextMs: next !== undefined && isTime(next) ? timeOf(next) : null,
  };
}

function revocationOf(entry: Element): Revocation {
  const [serial, at] = elementsIn(sequence(entry));
  if (serial?.tag !== tags.integer || at === undefined || !isTime(at)) {
    throw new Error('an entry has no serial number, or no date');
  }
  const digits = serial.content.toString('hex').replace(/^(?:00)+/, '');
  return { serial: digits.toUpperCase(), atMs: timeOf(at) };
}

function sequence(element: Element | undefined): Buffer {
  if (element?.tag !== tags.sequence) throw new Error('it is no list of revoked certificates');
  return element.content;
}

function isTime({ tag }: Element): boolean {
  return tag === tags.utcTime || tag === tags.generalizedTime;
}

/** `YYMMDDhhmmssZ` up to 2049, else with all digits of the year. */
function timeOf({ tag, content }: Element): number {
  const text = content.toString('latin1');
  const century = Number(text.slice(0, 2)) < 50 ? '20' : '19';
  const full = tag === tags.utcTime ? century + text : text;
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(full);
  if (parts === null) throw new Error('it has a date that can not be read');
  const [, year, month, day, hour, minute, second] = parts;
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

const hashes: Readonly<Record<string, string | null>> = {
  // ECDSA, RSA, and Ed25519, which needs no hash.
  '2a8648ce3d040302': 'sha256',
  '2a8648ce3d040303': 'sha384',
  '2a8648ce3d040304': 'sha512',
  '2a864886f70d01010b': 'sha256',
  '2a864886f70d01010c': 'sha384',
  '2a864886f70d01010d': 'sha512',
  '2b6570': null,
};

function hashOf(identifier: Element | undefined): string | null {
  const isNamed = identifier?.tag === tags.identifier;
  const hash = isNamed ? hashes[identifier.content.toString('hex')] : undefined;
  if (hash === undefined) throw new Error('it is signed in a way that is not known here');
  return hash;
}
