import { judgeKey } from '@understudy/shared/runtime/pair-key';
import type { Security } from '../store/load-security.ts';
import type { TenureContext } from '../work/context.ts';
import type { WorkState } from '../work/state.ts';
import type { Keyring } from './keyring.ts';
import { SecretBook, type SecretUse } from './secrets.ts';
import { TokenBook } from './tokens.ts';

/** Who may do what, and the secrets that runs are given, in the memory of one tenure. */
export interface Books {
  readonly tokens: TokenBook;
  readonly secrets: SecretBook;
  /** Takes in what the database holds. Throws when this node has not the key of the pair. */
  load(security: Security): void;
}

export interface BooksOptions {
  readonly context: TenureContext;
  readonly state: WorkState;
  readonly keyring: Keyring;
  /** Where the key store of this node lies; null: nowhere. */
  readonly keystore: string | null;
}

export function makeBooks(options: BooksOptions): Books {
  const { context, state, keyring } = options;
  const tokens = new TokenBook(context, (changes) => state.apply(changes));
  const secrets = new SecretBook(context, {
    keyring,
    apply: (changes) => state.apply(changes),
    useOf: (name) => useOf(state, name),
  });
  return {
    tokens,
    secrets,
    load: (security) => {
      requireKey(security, options);
      tokens.load(security.tokens);
      secrets.load(security.secrets);
    },
  };
}

/** What needs a secret: it can't be removed, and a former value of it must be hidden. */
function useOf(state: WorkState, name: string): SecretUse {
  const jobs = [...state.jobs.values()].filter((job) => job.definition.secrets.includes(name));
  return {
    jobs: jobs.map(({ definition }) => definition.name),
    runs: state.countOpen((run) => run.spec.secrets?.includes(name) === true),
  };
}

/** The last look, behind the fence: whoever can't read the secrets of the pair does not serve. */
function requireKey(
  { keyId: known }: Security,
  { context, keyring, keystore }: BooksOptions,
): void {
  if (known === (keyring.current?.id ?? null)) return;
  // It was changed since this node looked at its files.
  const verdict = judgeKey({ pair: context.pair, path: keystore, known });
  if (verdict.type === 'refused') throw new Error(verdict.reason);
  if (verdict.type === 'fits') keyring.use(verdict.keystore);
}
