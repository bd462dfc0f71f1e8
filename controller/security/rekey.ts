import { type Keystore, readKeystore } from '@understudy/shared/runtime/keystore';
import { nextKeystorePath } from '@understudy/shared/runtime/pair-key';
import type { HookService } from '../notify/hooks.ts';
import { committed, momentOf, requireStore, type TenureContext } from '../work/context.ts';
import { Refusal } from '../work/refusal.ts';
import type { WorkState } from '../work/state.ts';
import type { By } from './audit.ts';
import type { Keyring } from './keyring.ts';
import type { SecretBook, SecretRecord } from './secrets.ts';

export interface RekeyParts {
  readonly context: TenureContext;
  readonly state: Pick<WorkState, 'apply'>;
  readonly keyring: Keyring;
  readonly secrets: SecretBook;
  readonly hooks: HookService;
  /** Where the key store of this node lies; null: the configuration names none. */
  readonly path: string | null;
}

/** What was sealed anew. */
export interface Rekeyed {
  readonly keyId: string;
  readonly secrets: number;
  readonly hooks: number;
}

/** All of it is one transaction, which must be over long before its time limit. */
const MOST_BYTES = 16 * 1024 * 1024;

/**
 * Changes the key of the pair: all that is sealed is sealed anew with the key that lies beside the present
 * one, and is committed together with the id of that key, in one fenced transaction. Whoever takes over finds
 * all of it done, or nothing. A node that does not have the new key can't serve any more.
 */
export class RekeyService {
  readonly #parts: RekeyParts;

  constructor(parts: RekeyParts) {
    this.#parts = parts;
  }

  /** Asked for once more with the same key, it changes nothing. */
  async rekey(keyId: string, by: By): Promise<Rekeyed> {
    const { context, state, keyring, secrets, hooks } = this.#parts;
    requireStore(context);
    const old = keyring.current;
    if (old === null) {
      throw new Refusal('no-keystore', 'this pair has no key store: there is no key to change');
    }
    if (old.id === keyId) {
      // That change may still be on its way to the database: it is there once this is.
      await committed(context, state.apply({}));
      return { keyId, secrets: 0, hooks: 0 };
    }
    const next = this.#nextKey(keyId);
    const sealed = { secrets: secrets.sealedWith(next), hooks: hooks.sealedWith(next) };
    refuseTooMuch(sealed.secrets);
    const event = changed(momentOf(context).now, old.id, keyId);
    keyring.use(next);
    secrets.decide(sealed.secrets);
    hooks.decide(sealed.hooks);
    const stored = state
      .apply({ ...sealed, ...by, pairKey: keyId, events: [event] })
      .then(() => secrets.noteStored(sealed.secrets));
    await committed(context, stored);
    return { keyId, secrets: sealed.secrets.length, hooks: sealed.hooks.length };
  }

  /** From the disk of this node: a key is never sent. */
  #nextKey(keyId: string): Keystore {
    const { context, path } = this.#parts;
    const nextPath = nextKeystorePath(path ?? '');
    const read = readKeystore(nextPath);
    if (read.type === 'read' && read.keystore.id === keyId) return read.keystore;
    const what = `key ${keyId} is expected at ${nextPath} of node ${context.node}`;
    throw new Refusal('key-missing', `${what}, ${foundInstead(read)}: copy it there`);
  }
}

function foundInstead(read: ReturnType<typeof readKeystore>): string {
  switch (read.type) {
    case 'missing':
      return 'where there is nothing';
    case 'bad':
      return `and what is there ${read.problem}`;
    case 'read':
      return `where key ${read.keystore.id} is`;
  }
}

function refuseTooMuch(secrets: readonly SecretRecord[]): void {
  const all = secrets.flatMap(({ sealed, former }) => [sealed, ...former]);
  const bytes = all.reduce((sum, { data }) => sum + data.length, 0);
  if (bytes <= MOST_BYTES) return;
  const message = `the secrets have ${bytes} bytes, and no more than ${MOST_BYTES} can be encrypted anew at once: remove some`;
  throw new Refusal('too-many', message);
}

function changed(at: number, from: string, to: string) {
  const message = `the secrets are encrypted with key ${to} in place of ${from}`;
  return { at, kind: 'key-changed', subject: null, message, facts: { from, to } } as const;
}
