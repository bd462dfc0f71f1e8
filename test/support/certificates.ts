import { X509Certificate } from 'node:crypto';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { issue, type KeyPair, makeAuthority } from '@understudy/scripts/cert/authority';
import { makeRevocationList } from '@understudy/scripts/cert/revocation';
import type { TlsConfig } from '@understudy/shared/runtime/config/types';
import { Credentials } from '@understudy/shared/runtime/tls/credentials';
import type { Member } from '@understudy/shared/runtime/tls/member';
import { issueNameless } from './nameless-certificate.ts';

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

export interface IssueOptions {
  /** From now on; below 0: it has expired. */
  readonly forMs?: number;
  readonly hosts?: readonly string[];
}

/** The authority of a test's pair, and the files of its members in one folder. */
export class TestAuthority {
  readonly folder: string;
  readonly pair: string;
  readonly #keys: KeyPair;
  #crl: string | null = null;

  private constructor(folder: string, pair: string, keys: KeyPair) {
    this.folder = folder;
    this.pair = pair;
    this.#keys = keys;
    writeFileSync(this.ca, keys.certificate);
  }

  /** Without a folder it makes one of its own, which `remove` removes. */
  static async make(
    pair: string,
    folder = mkdtempSync(join(tmpdir(), 'understudy-tls-')),
  ): Promise<TestAuthority> {
    const validity = { from: new Date(Date.now() - 100 * DAY_MS), until: inMs(1_000 * DAY_MS) };
    return new TestAuthority(folder, pair, await makeAuthority(pair, validity));
  }

  get ca(): string {
    return join(this.folder, 'ca.pem');
  }

  /** Null until the list was written, be it an empty one. */
  get crl(): string | null {
    return this.#crl;
  }

  /** Writes the list of revoked certificates: all of these, and no others. */
  async revoke(pems: readonly string[]): Promise<void> {
    this.#crl = join(this.folder, 'ca.crl');
    const atMs = Date.now();
    const serials = pems.map((pem) => new X509Certificate(pem).serialNumber);
    const list = serials.map((serial) => ({ serial, atMs }));
    put(this.#crl, await makeRevocationList(this.#keys, list, new Date(atMs)));
  }

  get certificate(): string {
    return this.#keys.certificate;
  }

  /** The files of a member; nothing need be there yet. */
  filesOf({ kind, id }: Member): TlsConfig {
    const path = join(this.folder, `${kind}-${id}`);
    return { cert: `${path}.pem`, key: `${path}.key`, ca: this.ca, crl: this.crl };
  }

  node(id: string): Member {
    return { pair: this.pair, kind: 'node', id };
  }

  agent(id: string): Member {
    return { pair: this.pair, kind: 'agent', id };
  }

  async issue(member: Member, options: IssueOptions = {}): Promise<KeyPair> {
    const { forMs = 200 * DAY_MS, hosts = ['127.0.0.1', 'localhost'] } = options;
    const until = inMs(forMs);
    const validity = { from: new Date(until.getTime() - 300 * DAY_MS), until };
    return await issue(this.#keys, { member, hosts, validity });
  }

  /** A certificate of this authority for somebody who is nothing to the pair. */
  async issueNameless(): Promise<KeyPair> {
    return await issueNameless(this.#keys);
  }

  /** Issues, and writes the files as `understudy cert` does. */
  async write(member: Member, options: IssueOptions = {}): Promise<TlsConfig> {
    const files = this.filesOf(member);
    const made = await this.issue(member, options);
    put(files.key, made.key);
    put(files.cert, made.certificate);
    return files;
  }

  /** What a process of that member has. */
  async credentials(member: Member, options: IssueOptions = {}): Promise<Credentials> {
    const files = await this.write(member, options);
    return await Credentials.open({ files, self: member, wallMs: Date.now });
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Replaces a file in one moment. */
export function put(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

function inMs(ms: number): Date {
  return new Date(Date.now() + ms);
}
