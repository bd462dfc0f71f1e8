import { type Contact, type SignTerms, signOfLifeMs } from '../attempt/isolation.ts';

export interface ContactWatchOptions {
  readonly nowMs: () => number;
  /** Ends what may not run on without contact; asked again and again. */
  readonly isolate: (contact: Contact) => void;
}

/** Often enough for what is ended to be ended in time. */
const LOOK_EVERY_MS = 100;

/** Knows when a controller last proved to be in contact with this worker, and watches over what follows. */
export class ContactWatch {
  readonly #options: ContactWatchOptions;
  #contact: Contact;
  #terms: SignTerms = { lostAfterMs: null, idleSignEveryMs: null };

  constructor(options: ContactWatchOptions) {
    this.#options = options;
    this.#contact = { provenAtMs: options.nowMs(), lostAfterMs: null };
    setInterval(() => this.#look(), LOOK_EVERY_MS).unref();
  }

  signOfLifeMs(isIdle: boolean): number {
    return signOfLifeMs(this.#terms, isIdle);
  }

  /** A request that was sent then was answered. */
  proven(sentAtMs: number): void {
    const provenAtMs = Math.max(this.#contact.provenAtMs, sentAtMs);
    this.#contact = { ...this.#contact, provenAtMs };
  }

  /** The controller that took us in said so. */
  agreed({ lostAfterMs, idleSignEveryMs }: SignTerms): void {
    this.#terms = { lostAfterMs, idleSignEveryMs };
    this.#contact = { ...this.#contact, lostAfterMs };
  }

  #look(): void {
    const { provenAtMs, lostAfterMs } = this.#contact;
    if (lostAfterMs === null || this.#options.nowMs() < provenAtMs + lostAfterMs / 2) return;
    this.#options.isolate(this.#contact);
  }
}
