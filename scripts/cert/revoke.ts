import { existsSync, readFileSync } from 'node:fs';
import { messageOf, UserError } from '@understudy/shared/runtime/errors';
import {
  parseRevocationLists,
  type Revocation,
} from '@understudy/shared/runtime/tls/revocation-list';
import { authorityPaths, readAuthority, write } from './folder.ts';
import { readCertificate } from './make.ts';
import { makeRevocationList } from './revocation.ts';

export interface RevokeOptions {
  readonly folder: string;
  readonly nowMs: number;
}

export interface RevokedFile {
  readonly path: string;
  /** Those that were added now. */
  readonly added: readonly string[];
  /** How many certificates it revokes. */
  readonly count: number;
}

const SERIAL = /^(?:[0-9A-Fa-f]{2}:?){1,20}$/;

/**
 * Adds certificates to the list of those that the authority in a folder has revoked, and writes it. Each is named by its
 * file or its serial number; without any the list is written as it is. Throws `UserError` for what an operator must mend.
 */
export async function revokeCertificates(
  named: readonly string[],
  { folder, nowMs }: RevokeOptions,
): Promise<RevokedFile> {
  const authority = readAuthority(folder);
  const paths = authorityPaths(folder);
  const issuer = readCertificate(paths.certificate).subject;
  const before = revocationsBefore(paths.revoked);
  const known = new Set(before.map(({ serial }) => serial));
  const added: Revocation[] = [];
  for (const name of named) {
    const serial = serialOf(name, issuer);
    if (known.has(serial)) continue;
    known.add(serial);
    added.push({ serial, atMs: nowMs });
  }
  const all = [...before, ...added];
  write(paths.revoked, await makeRevocationList(authority, all, new Date(nowMs)), 0o644);
  return { path: paths.revoked, added: added.map(({ serial }) => serial), count: all.length };
}

function revocationsBefore(path: string): Revocation[] {
  if (!existsSync(path)) return [];
  try {
    const lists = parseRevocationLists(readFileSync(path, 'utf8'));
    if (lists.length === 0) throw new Error('it holds none; expected PEM');
    return lists.flatMap(({ revocations }) => revocations);
  } catch (error) {
    throw new UserError(
      `${path} can't be read as a list of revoked certificates: ${messageOf(error)}`,
    );
  }
}

function serialOf(name: string, issuer: string): string {
  if (!existsSync(name)) {
    if (SERIAL.test(name))
      return name
        .replaceAll(':', '')
        .toUpperCase()
        .replace(/^(?:00)+/, '');
    throw new UserError(
      `"${name}" is neither the file of a certificate nor a serial number; expected one of these (\`understudy cert show FILE\` tells the number)`,
    );
  }
  const certificate = readCertificate(name);
  if (certificate.issuer === issuer) return certificate.serial;
  throw new UserError(
    `${name} was signed by ${certificate.issuer}, and can be revoked by that authority alone; this folder has ${issuer}`,
  );
}
