import type { Log } from '@understudy/shared/runtime/log';
import type { Credentials } from '@understudy/shared/runtime/tls/credentials';
import { expiriesOf } from '@understudy/shared/runtime/tls/expiry';
import { watchCredentials } from '@understudy/shared/runtime/tls/watch';
import { draft, type EventDraft } from '../events/draft.ts';
import { rules } from '../events/rules.ts';

/** What `GET /status` says of the certificate of a node. */
export interface CertificateView {
  readonly fingerprint: string;
  readonly expiresAt: string;
  /** Below 0: it has expired. */
  readonly expiresInMs: number;
  readonly authorityExpiresAt: string;
  readonly authorityExpiresInMs: number;
  /** Why the files as they are now are not used; null: they are. */
  readonly problem: string | null;
  /** Whether plain HTTP is accepted beside TLS. */
  readonly plainAccepted: boolean;
}

export interface CertificateWatchOptions {
  readonly credentials: Credentials;
  readonly wallMs: () => number;
  readonly log: Log;
}

/** Watches over the certificate of this node: what becomes of it goes to the log and to the events of the pair. */
export class CertificateWatch {
  readonly #options: CertificateWatchOptions;
  #watch: { stop(): void } | null = null;

  constructor(options: CertificateWatchOptions) {
    this.#options = options;
  }

  get credentials(): Credentials {
    return this.#options.credentials;
  }

  start(note: (event: EventDraft) => void): void {
    const { credentials, wallMs, log } = this.#options;
    this.#watch = watchCredentials({
      ...{ credentials, wallMs },
      tell: ({ kind, level, message, facts }) => {
        log[level](message, facts);
        note(draft(kind, message, { rule: rules.certificate, facts }));
      },
    });
  }

  view(): CertificateView {
    const { credentials, wallMs } = this.#options;
    const { current, problem } = credentials;
    const [own, authority] = expiriesOf(current, wallMs());
    return {
      fingerprint: current.certificate.fingerprint,
      expiresAt: dateOf(own?.untilMs),
      expiresInMs: Math.round(own?.leftMs ?? 0),
      authorityExpiresAt: dateOf(authority?.untilMs),
      authorityExpiresInMs: Math.round(authority?.leftMs ?? 0),
      problem,
      plainAccepted: credentials.acceptsPlain,
    };
  }

  close(): void {
    this.#watch?.stop();
    this.#options.credentials.close();
  }
}

function dateOf(ms: number | undefined): string {
  return new Date(ms ?? 0).toISOString();
}
