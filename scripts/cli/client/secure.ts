import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { createSecureContext } from 'node:tls';
import type { TlsConfig } from '@understudy/shared/runtime/config/types';
import { exitCodes, messageOf, UserError } from '@understudy/shared/runtime/errors';
import { parseCertificates } from '@understudy/shared/runtime/tls/certificate';
import { secureOptions } from '@understudy/shared/runtime/tls/connect';
import { nothingRevoked, type Revoked, revokedIn } from '@understudy/shared/runtime/tls/revoked';
import axios from 'axios';

/**
 * A command speaks to one pair: from now on every request over TLS expects a node of that pair, and shows the
 * certificate of this host where there is one that may be read. Without it users are served as well, by their token.
 */
export function connectAs({
  pair,
  tls,
}: {
  readonly pair: string;
  readonly tls: TlsConfig | null;
}): void {
  if (tls === null) return;
  const ca = read('tls.ca', tls.ca);
  const context = createSecureContext({ ca, ...ownOf(tls) });
  const credentials = { current: { context, revoked: revokedOf(tls, ca) } };
  // A connection of its own for each request: a kept one may lead to a controller that is no longer active.
  axios.defaults.httpsAgent = new Agent({ keepAlive: false, ...secureOptions(credentials, pair) });
}

function revokedOf({ crl }: TlsConfig, ca: string): Revoked {
  if (crl === null) return nothingRevoked;
  try {
    return revokedIn(read('tls.crl', crl), parseCertificates(ca));
  } catch (error) {
    throw unreadable('tls.crl', error);
  }
}

/** The key is its process's own: whoever may not read it does without. */
function ownOf({ cert, key }: TlsConfig): { cert?: string; key?: string } {
  try {
    return { key: readFileSync(key, 'utf8'), cert: read('tls.cert', cert) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') return {};
    throw unreadable('tls.key', error);
  }
}

function read(setting: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw unreadable(setting, error);
  }
}

function unreadable(setting: string, error: unknown): UserError {
  if (error instanceof UserError) return error;
  return new UserError(`${setting} can't be read: ${messageOf(error)}`, exitCodes.badConfig);
}
