import type { Keystore } from '@understudy/shared/runtime/keystore';
import type { HookRecord, HookSecret } from '../store/hook-records.ts';
import { Refusal } from '../work/refusal.ts';

/** Seals what signs the notices of hooks, and opens it when one is sent. */
export class HookSecrets {
  readonly #pair: string;
  readonly #keystore: Keystore | null;

  /** Without a key store nothing new is taken; what was stored before there was one goes on signing. */
  constructor(pair: string, keystore: Keystore | null) {
    this.#pair = pair;
    this.#keystore = keystore;
  }

  get canSeal(): boolean {
    return this.#keystore !== null;
  }

  /** For the hook with this id, and for no other. */
  seal(hook: string, text: string): HookSecret {
    const keystore = this.#keystore;
    if (keystore === null) {
      throw new Refusal(
        'no-keystore',
        'the secret of a hook is stored encrypted, and this pair has no key store: set `keystore` on its controller hosts',
      );
    }
    const sealed = keystore.seal(text, this.#about(hook));
    return { type: 'sealed', keyId: keystore.id, sealed };
  }

  open({ id, secret }: Pick<HookRecord, 'id' | 'secret'>): string | null {
    if (secret === null || secret.type === 'plain') return secret?.text ?? null;
    if (this.#keystore === null) throw new Error('hooks are never loaded without their key');
    return this.#keystore.open(secret.sealed, this.#about(id));
  }

  #about(hook: string): string {
    return `${this.#pair}/hook/${hook}`;
  }
}
