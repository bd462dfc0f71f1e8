import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { messageOf, UserError } from '@understudy/shared/runtime/errors';
import {
  type Certificate,
  describeCertificate,
  parseCertificates,
} from '@understudy/shared/runtime/tls/certificate';
import type { Member } from '@understudy/shared/runtime/tls/member';
import { issue, makeAuthority, type Validity } from './authority.ts';
import {
  authorityPaths,
  memberPaths,
  type Paths,
  readAuthority,
  requireFree,
  write,
  writeKeyPair,
} from './folder.ts';
import { makeRevocationList } from './revocation.ts';

export interface Made {
  readonly paths: Paths;
  readonly certificate: Certificate;
}

export interface MakeOptions {
  readonly folder: string;
  readonly days: number;
  readonly isForced: boolean;
  readonly nowMs: number;
}

const DAY_MS = 86_400_000;
/** The clocks of other hosts may be a little behind ours. */
const BACKDATED_MS = 3_600_000;
/** A name of a host, or its address; a star stands for one label. */
const HOST = /^(?:\*\.)?[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9-]+)*$/;

/** Makes an authority and its files. Throws `UserError` when there is one already. */
export async function makeAuthorityFiles(pair: string, options: MakeOptions): Promise<Made> {
  const paths = authorityPaths(options.folder);
  requireFree(paths, options.isForced);
  const made = await makeAuthority(pair, validityOf(options, Number.POSITIVE_INFINITY));
  writeKeyPair(paths, made);
  // Empty, so that hosts can be told of it from the beginning: what it comes to hold counts without a restart.
  const revoked = await makeRevocationList(made, [], new Date(options.nowMs));
  write(paths.revoked, revoked, 0o644);
  return { paths, certificate: readCertificate(paths.certificate) };
}

/**
 * Makes the key and the certificate of a member and their files. Without hosts it gets those of the certificate that is
 * replaced. It never outlives its authority. Throws `UserError` for what an operator must mend.
 */
export async function makeMemberFiles(
  member: Member,
  hosts: readonly string[],
  options: MakeOptions,
): Promise<Made> {
  const paths = memberPaths(options.folder, member);
  requireFree(paths, options.isForced);
  const authority = readAuthority(options.folder);
  const { untilMs } = readCertificate(authorityPaths(options.folder).certificate);
  if (untilMs < options.nowMs) {
    throw new UserError(
      `the authority in ${options.folder} has expired on ${new Date(untilMs).toISOString()}; \`understudy cert authority --force\` makes another, and all members need new certificates then`,
    );
  }
  const named = hosts.length > 0 ? hosts : hostsBefore(paths.certificate);
  for (const host of named) requireHost(host);
  if (named.length === 0 && member.kind === 'node') {
    throw new UserError(
      `--host is missing: expected each name and address by which others reach node ${member.id}, as in the URLs of their configurations`,
    );
  }
  const made = await issue(authority, {
    ...{ member, hosts: named },
    validity: validityOf(options, untilMs),
  });
  writeKeyPair(paths, made);
  return { paths, certificate: readCertificate(paths.certificate) };
}

/** The first certificate of a file. Throws `UserError` when there is none. */
export function readCertificate(path: string): Certificate {
  try {
    const [first] = parseCertificates(readFileSync(path, 'utf8'));
    if (first !== undefined) return describeCertificate(first);
  } catch (error) {
    throw new UserError(`${path} can't be read as a certificate: ${messageOf(error)}`);
  }
  throw new UserError(`${path} holds no certificate; expected PEM`);
}

/** The names of hosts and the addresses among the names of a certificate. */
export function hostsIn({ names }: Pick<Certificate, 'names'>): string[] {
  return Array.from(
    names.matchAll(/(?:DNS|IP Address):([^,"]+)(?:, |$)/g),
    ([, host = '']) => host,
  );
}

function hostsBefore(path: string): string[] {
  try {
    return hostsIn(readCertificate(path));
  } catch {
    // There is none to take them from: whoever needs some says so.
    return [];
  }
}

function requireHost(host: string): void {
  if (isIP(host) !== 0 || HOST.test(host)) return;
  throw new UserError(
    `--host holds "${host}"; expected the name or the address of a host, without port or scheme`,
  );
}

function validityOf({ days, nowMs }: MakeOptions, latestMs: number): Validity {
  const untilMs = Math.min(nowMs + days * DAY_MS, latestMs);
  return { from: new Date(nowMs - BACKDATED_MS), until: new Date(untilMs) };
}
