import type { Duplex } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { TlsConfig } from '../config/types.ts';
import { exitCodes, UserError } from '../errors.ts';
import { faultWords } from './faults.ts';
import { marksOf, readMaterial } from './files.ts';
import type { Material } from './material.ts';
import { describeMember, type Member } from './member.ts';
import { rememberShown, shownOn } from './shown.ts';

/** What became of files that were changed. */
export type Replacement =
  | {
      readonly type: 'replaced';
      readonly material: Material;
      /** What this process shows is the same as before, and so are the authorities. */
      readonly isOfRevokedOnly: boolean;
    }
  /** They are not used: what was used before still is. */
  | { readonly type: 'refused'; readonly problem: string };

export interface CredentialsOptions {
  readonly files: TlsConfig;
  readonly self: Member;
  readonly wallMs: () => number;
  /** Whether others may do without TLS: for the time of a change to it, or back. */
  readonly acceptsPlain?: boolean;
}

/** Changed files are noticed within so long. */
const LOOK_EVERY_MS = 2_000;
/** At the start the files may be about to be replaced: what does not fit together may do so in a moment. */
const OPEN_WITHIN_MS = 3_000;
const OPEN_RETRY_MS = 250;

/**
 * The certificate of this process and what belongs to it, as they are now. The files are looked at all the time: what
 * was replaced is used from the next connection on, without a restart. Three files are not written in one moment, so
 * what does not fit together is looked at once more before anybody is told; it is never used.
 */
export class Credentials {
  readonly #options: CredentialsOptions;
  readonly #listeners = new Set<(replacement: Replacement) => void>();
  /** Connections on which a certificate was shown that may come to be revoked. */
  readonly #watched = new Set<Duplex>();
  #material: Material;
  #version = 0;
  #seen: string;
  /** What is wrong with the files as they are now, and whether it was told. */
  #fault: { readonly problem: string; readonly isTold: boolean } | null = null;
  #timer: NodeJS.Timeout | undefined;

  private constructor(options: CredentialsOptions, material: Material, seen: string) {
    this.#options = options;
    this.#material = material;
    this.#seen = seen;
    this.#timer = setInterval(() => this.look(), LOOK_EVERY_MS).unref();
  }

  /** Reads the files. Throws `UserError` (exit code 78) that says what is wrong when they can't be used. */
  static async open(options: CredentialsOptions): Promise<Credentials> {
    const until = performance.now() + OPEN_WITHIN_MS;
    for (;;) {
      const seen = marksOf(options.files);
      const read = readMaterial(options.files, options.self);
      if (read.type === 'good') return new Credentials(options, read.material, seen);
      if (performance.now() > until) throw unusable(read.problem, options);
      await pause(OPEN_RETRY_MS);
    }
  }

  get current(): Material {
    return this.#material;
  }

  /** Counts the replacements: connections that were made before one are not used after it. */
  get version(): number {
    return this.#version;
  }

  get acceptsPlain(): boolean {
    return this.#options.acceptsPlain === true;
  }

  get self(): Member {
    return this.#options.self;
  }

  /** Why the files as they are now are not used; null: they are. */
  get problem(): string | null {
    return this.#fault?.problem ?? null;
  }

  /** Calls `listener` for each replacement that is made or refused; what is returned ends that. */
  onReplacement(listener: (replacement: Replacement) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * What is shown on a connection counts for nothing when it is revoked; when it comes to be revoked later, the
   * connection is closed.
   */
  watch(socket: Duplex): void {
    const shown = shownOn(socket);
    if (shown.type !== 'good') return;
    if (this.#material.revoked.has(shown.id)) return rememberShown(socket, REVOKED);
    this.#watched.add(socket);
    socket.once('close', () => this.#watched.delete(socket));
  }

  /** Looks whether the files have changed. */
  look(): void {
    const marks = marksOf(this.#options.files);
    if (marks !== this.#seen) {
      this.#seen = marks;
      this.#read();
    } else if (this.#fault?.isTold === false) {
      this.#fault = { ...this.#fault, isTold: true };
      this.#tell({ type: 'refused', problem: this.#fault.problem });
    }
  }

  /** Looks no more. */
  close(): void {
    clearInterval(this.#timer);
    this.#listeners.clear();
  }

  #read(): void {
    const { files, self, wallMs } = this.#options;
    const read = readMaterial(files, self);
    const fault = read.type === 'bad' ? read.problem : hourFault(read.material, wallMs());
    if (fault !== null || read.type === 'bad') {
      this.#fault = { problem: fault ?? '', isTold: false };
      return;
    }
    this.#fault = null;
    const before = this.#material;
    const { material } = read;
    const isOfRevokedOnly = isSame(material, before);
    if (isOfRevokedOnly && material.crl === before.crl) return;
    this.#material = material;
    this.#version += 1;
    this.#tell({ type: 'replaced', material, isOfRevokedOnly });
    if (material.crl !== before.crl) this.#cutOffRevoked();
  }

  #cutOffRevoked(): void {
    const { revoked } = this.#material;
    for (const socket of [...this.#watched]) {
      const shown = shownOn(socket);
      if (shown.type === 'good' && revoked.has(shown.id)) socket.destroy(new Error(REVOKED.reason));
    }
  }

  #tell(replacement: Replacement): void {
    for (const listener of [...this.#listeners]) listener(replacement);
  }
}

const REVOKED = { type: 'refused', reason: faultWords('CERT_REVOKED') } as const;

/** A new certificate that nobody accepts at this hour must not take the place of one that may be good. */
function hourFault({ certificate: { fromMs, untilMs } }: Material, now: number): string | null {
  if (now > untilMs) return `tls.cert expired on ${new Date(untilMs).toISOString()}`;
  if (now < fromMs) return `tls.cert is not valid before ${new Date(fromMs).toISOString()}`;
  return null;
}

function isSame(a: Material, b: Material): boolean {
  return a.cert === b.cert && a.key === b.key && a.ca === b.ca;
}

function unusable(problem: string, { self }: CredentialsOptions): UserError {
  return new UserError(
    `the certificate of ${describeMember(self)} can't be used: ${problem}`,
    exitCodes.badConfig,
  );
}
