import { messageOf } from '@understudy/shared/runtime/errors';
import type { Keystore, Sealed } from '@understudy/shared/runtime/keystore';
import { Refusal } from '../work/refusal.ts';

/** Something sealed, and the id of the key with which it was. */
export interface SealedWith {
  readonly keyId: string;
  readonly sealed: Sealed;
}

/** What is sealed: bound to that, and called so in messages. */
export interface Subject {
  readonly about: string;
  /** Like `secret DB_PASSWORD`. */
  readonly name: string;
}

/**
 * The keys of one tenure. With the present one all that is new is sealed; those before it open what was sealed
 * with them, until that is committed anew.
 */
export class Keyring {
  readonly #keys = new Map<string, Keystore>();
  #current: Keystore | null = null;

  /** Null: this node has no key, and so no secrets. */
  constructor(keystore: Keystore | null) {
    if (keystore !== null) this.use(keystore);
  }

  get current(): Keystore | null {
    return this.#current;
  }

  use(keystore: Keystore): void {
    this.#keys.set(keystore.id, keystore);
    this.#current = keystore;
  }

  seal(text: string, { about, name }: Subject): SealedWith {
    const keystore = this.#current;
    if (keystore !== null) return { keyId: keystore.id, sealed: keystore.seal(text, about) };
    throw new Refusal(
      'no-keystore',
      `${name} would be stored encrypted, and this pair has no key store: set \`keystore\` on its controller hosts`,
    );
  }

  /** Throws when it was not sealed for this, or with a key that is not here. */
  open({ keyId, sealed }: SealedWith, { about }: Pick<Subject, 'about'>): string {
    const keystore = this.#keys.get(keyId);
    if (keystore === undefined) throw new Error(`key ${keyId} is not on this node`);
    return keystore.open(sealed, about);
  }

  /** The same, sealed with another key. */
  reseal(old: SealedWith, subject: Subject, next: Keystore): Sealed {
    let text: string;
    try {
      text = this.open(old, subject);
    } catch (error) {
      const message = `${subject.name} can't be decrypted (${messageOf(error)}): set it anew, or remove it`;
      throw new Refusal('undecryptable', message);
    }
    return next.seal(text, subject.about);
  }
}
