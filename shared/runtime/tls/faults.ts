const NOT_TRUSTED = 'is not signed by an authority that is trusted here';

/** What the codes of OpenSSL and Node mean, said of a certificate. */
const certificateWords: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'has expired',
  CERT_NOT_YET_VALID: 'is not valid yet',
  CERT_REVOKED: 'has been revoked',
  INVALID_PURPOSE: 'may not be used for this, as its extended key usage says',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: NOT_TRUSTED,
  UNABLE_TO_GET_ISSUER_CERT: NOT_TRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: NOT_TRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: NOT_TRUSTED,
  DEPTH_ZERO_SELF_SIGNED_CERT: NOT_TRUSTED,
  CERT_SIGNATURE_FAILURE: NOT_TRUSTED,
};

/** What is wrong with a certificate, by the code of the check that refused it. */
export function faultWords(code: string): string {
  const words = certificateWords[code];
  return words === undefined ? code : `it ${words} (${code})`;
}

/** What an error of a TLS connection means; null: it is no such error, or says so itself. */
export function tlsFault({ code, message }: NodeJS.ErrnoException): string | null {
  if (code === undefined) return null;
  const words = certificateWords[code];
  if (words !== undefined) return `its certificate ${words} (${code})`;
  // What answers in plain HTTP is read as a record of TLS.
  const isPlain = /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG/.test(code);
  return isPlain || (code === 'EPROTO' && /wrong version number|packet length/.test(message))
    ? `it does not speak TLS; its URL may have to begin with http:// (${code})`
    : null;
}
