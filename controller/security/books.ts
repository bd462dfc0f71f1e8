import type { Keystore } from '@understudy/shared/runtime/keystore';
import type { Security } from '../store/load-security.ts';
import type { TenureContext } from '../work/context.ts';
import type { WorkState } from '../work/state.ts';
import { SecretBook, type SecretUse } from './secrets.ts';
import { TokenBook } from './tokens.ts';

/** Who may do what, and the secrets that runs are given, in the memory of one tenure. */
export interface Books {
  readonly tokens: TokenBook;
  readonly secrets: SecretBook;
  /** Takes in what the database holds. Throws when this node has not the key of the pair. */
  load(security: Security): void;
}

export function makeBooks(
  context: TenureContext,
  state: WorkState,
  keystore: Keystore | null,
): Books {
  const tokens = new TokenBook(context, (changes) => state.apply(changes));
  const secrets = new SecretBook(context, {
    keystore,
    apply: (changes) => state.apply(changes),
    useOf: (name) => useOf(state, name),
  });
  return {
    tokens,
    secrets,
    load: (security) => {
      requireKey(security, keystore);
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
function requireKey({ keyId }: Security, keystore: Keystore | null): void {
  if (keyId === (keystore?.id ?? null)) return;
  const here = keystore === null ? 'has no key store' : `has key ${keystore.id}`;
  throw new Error(`the pair encrypts its secrets with key ${keyId}, and this node ${here}`);
}
