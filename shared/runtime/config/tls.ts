import type { Problem } from './problems.ts';
import type { NodeTlsConfig, TlsConfig } from './types.ts';

export interface TlsValues {
  readonly 'tls.cert': string | null;
  readonly 'tls.key': string | null;
  readonly 'tls.ca': string | null;
  readonly 'tls.crl': string | null;
  /** Of a controller host only. */
  readonly 'tls.plain'?: 'refuse' | 'accept';
}

/** The files, when all three are named; null: plain HTTP. */
export function tlsConfigOf(values: TlsValues): TlsConfig | null {
  const { 'tls.cert': cert, 'tls.key': key, 'tls.ca': ca, 'tls.crl': crl } = values;
  return cert === null || key === null || ca === null ? null : { cert, key, ca, crl };
}

/** The same of a controller host. */
export function nodeTlsConfigOf(
  values: TlsValues & { readonly 'tls.plain': 'refuse' | 'accept' },
): NodeTlsConfig | null {
  const files = tlsConfigOf(values);
  return files === null ? null : { ...files, plain: values['tls.plain'] };
}

/** One file without the others is of no use, nor is it to accept plain HTTP where there is nothing else. */
export function tlsProblems(values: TlsValues): Problem[] {
  const names = ['tls.cert', 'tls.key', 'tls.ca'] as const;
  const set = [...names, 'tls.crl' as const].filter((name) => values[name] !== null);
  if (set.length === 0) return values['tls.plain'] === 'accept' ? [NOTHING_ELSE] : [];
  const text = `is missing; expected the path of a file, because ${set.join(' and ')} ${set.length === 1 ? 'is' : 'are'} set`;
  return names.filter((name) => values[name] === null).map((key) => ({ key, text, source: null }));
}

const NOTHING_ELSE: Problem = {
  key: 'tls.plain',
  text: 'holds accept; expected tls.cert, tls.key and tls.ca beside it, for without them there is nothing but plain HTTP',
  source: null,
};

/**
 * With `tls` every link is encrypted, without it none is: a URL that says something else is a mistake. Not so where
 * plain HTTP is accepted beside it.
 */
export function schemeProblems(
  values: TlsValues,
  urls: readonly (readonly [key: string, url: string])[],
): Problem[] {
  // With one file alone nobody knows what is meant; that is told already.
  if (tlsProblems(values).length > 0) return [];
  const isSecure = tlsConfigOf(values) !== null;
  if (isSecure && values['tls.plain'] === 'accept') return [];
  const expected = isSecure ? 'https:' : 'http:';
  return urls.flatMap(([key, url]) => {
    if (new URL(url).protocol === expected) return [];
    const why = isSecure ? 'https://, because tls is set' : 'http://, because tls is not set';
    return [{ key, text: `holds ${url}; expected a URL that begins with ${why}`, source: null }];
  });
}
