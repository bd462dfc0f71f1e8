import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { messageOf, UserError } from '@understudy/shared/runtime/errors';
import type { Member } from '@understudy/shared/runtime/tls/member';
import type { KeyPair } from './authority.ts';

/** Where a certificate and its key are. */
export interface Paths {
  readonly certificate: string;
  readonly key: string;
}

/** The files of the authority in a folder. */
export function authorityPaths(folder: string): Paths & { readonly revoked: string } {
  const path = resolve(folder, 'ca');
  return { certificate: `${path}.pem`, key: `${path}.key`, revoked: `${path}.crl` };
}

/** The files of a member in a folder. */
export function memberPaths(folder: string, { kind, id }: Pick<Member, 'kind' | 'id'>): Paths {
  const path = join(resolve(folder), `${kind}-${id}`);
  return { certificate: `${path}.pem`, key: `${path}.key` };
}

/** Throws `UserError` when one of the files is there and may not be replaced. */
export function requireFree({ certificate, key }: Paths, isForced: boolean): void {
  const there = [certificate, key].filter((path) => existsSync(path));
  if (isForced || there.length === 0) return;
  const verb = there.length === 1 ? 'exists' : 'exist';
  throw new UserError(`${there.join(' and ')} ${verb}: nothing was made; --force replaces`);
}

/** Writes both, each in one moment, so that a process that runs never reads half of one. Only their owner may read the key. */
export function writeKeyPair(paths: Paths, made: KeyPair): void {
  write(paths.key, made.key, 0o600);
  write(paths.certificate, made.certificate, 0o644);
}

/** Reads the authority. Throws `UserError` when it is not there, or its key may be read by others. */
export function readAuthority(folder: string): KeyPair {
  const paths = authorityPaths(folder);
  try {
    if ((statSync(paths.key).mode & 0o077) !== 0) {
      throw new UserError(`${paths.key} may be read by others: chmod 600 ${paths.key}`);
    }
    return {
      certificate: readFileSync(paths.certificate, 'utf8'),
      key: readFileSync(paths.key, 'utf8'),
    };
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(
      `there is no authority in ${resolve(folder)}: ${messageOf(error)}; \`understudy cert authority\` makes one`,
    );
  }
}

/** Writes a file in one moment. Throws `UserError` when it can't. */
export function write(path: string, text: string, mode: number): void {
  const unfinished = `${path}.unfinished`;
  try {
    writeFileSync(unfinished, text, { mode });
    renameSync(unfinished, path);
  } catch (error) {
    throw new UserError(`${path} could not be written: ${messageOf(error)}`);
  }
}
