/** What is shown of a secret: nothing but that it is set. */
const HIDDEN = '***';

export type Secrecy = 'open' | 'secret' | 'database-url';

/** A value as it may be shown to people and written to logs. */
export function masked(value: unknown, secrecy: Secrecy): unknown {
  if (secrecy === 'open' || value === undefined || value === null) return value;
  if (secrecy === 'secret' || typeof value !== 'string') return HIDDEN;
  return maskDatabaseUrl(value);
}

/** Hides the password of a database URL, in the user part and in the query; all of it when it has no such form. */
export function maskDatabaseUrl(url: string): string {
  const match = DATABASE_URL.exec(url);
  if (match === null) return HIDDEN;
  const [, scheme = '', user = '', rest = ''] = match;
  const name = user.slice(0, -1).split(':', 1)[0] ?? '';
  const shownUser = user === '' ? '' : user.includes(':') ? `${name}:${HIDDEN}@` : user;
  return scheme + shownUser + rest.replace(/([?&]password=)[^&]*/gi, `$1${HIDDEN}`);
}

/** Without its `@` a user with a password looks like a host: after a host's colon nothing but a port may stand. */
const HOST = String.raw`(?:\[[0-9a-f:.]+\]|[^@/?#:,]*)(?::\d{1,5})?`;
const DATABASE_URL = new RegExp(
  String.raw`^([a-z]+:\/\/)([^/?#]*@)?(${HOST}(?:,${HOST})*(?:[/?#][^@]*)?)$`,
  'i',
);
