import type { Keystore } from '@understudy/shared/runtime/keystore';
import type { Keyring, Subject } from '../security/keyring.ts';
import type { HookRecord, HookSecret } from '../store/hook-records.ts';

type Signed = Pick<HookRecord, 'id' | 'name' | 'secret'>;

/** Seals what signs the notices of hooks, and opens it when one is sent. */
export class HookSecrets {
  readonly #pair: string;
  readonly #keyring: Keyring;

  /** Without a key nothing new is taken; what was stored before there was one goes on signing. */
  constructor(pair: string, keyring: Keyring) {
    this.#pair = pair;
    this.#keyring = keyring;
  }

  get canSeal(): boolean {
    return this.#keyring.current !== null;
  }

  /** For this hook, and for no other. */
  seal(hook: Pick<Signed, 'id' | 'name'>, text: string): HookSecret {
    return { type: 'sealed', ...this.#keyring.seal(text, this.#subject(hook)) };
  }

  open(hook: Signed): string | null {
    const { secret } = hook;
    if (secret === null) return null;
    return secret.type === 'plain' ? secret.text : this.#keyring.open(secret, this.#subject(hook));
  }

  /** The same, sealed with another key; null: the hook has none. */
  resealed(hook: Signed, next: Keystore): HookSecret | null {
    const { secret } = hook;
    if (secret === null) return null;
    const subject = this.#subject(hook);
    const sealed =
      secret.type === 'plain'
        ? next.seal(secret.text, subject.about)
        : this.#keyring.reseal(secret, subject, next);
    return { type: 'sealed', keyId: next.id, sealed };
  }

  #subject({ id, name }: Pick<Signed, 'id' | 'name'>): Subject {
    return { about: `${this.#pair}/hook/${id}`, name: `the secret of hook ${name}` };
  }
}
