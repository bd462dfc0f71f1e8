import type { SecretRecord } from '../security/secrets.ts';
import type { TokenRecord } from '../security/tokens.ts';
import { ms, type Row } from './rows.ts';
import { type SealedText, sealedFrom } from './sealed-text.ts';
import type { Execute } from './write-batch.ts';

/** What a new active must know of who may do what. */
export interface Security {
  readonly tokens: readonly TokenRecord[];
  readonly secrets: readonly SecretRecord[];
  /** The id of the key with which secrets are encrypted; null: there is none. */
  readonly keyId: string | null;
}

/** Reads it in a fenced transaction: what an older term revoked is not in it. */
export async function loadSecurity(pair: string, execute: Execute): Promise<Security> {
  const [tokens, secrets, [key]] = await Promise.all([
    execute({ name: 'load-tokens', text: SELECT_TOKENS, values: [pair] }),
    execute({ name: 'load-secrets', text: SELECT_SECRETS, values: [pair] }),
    execute({ name: 'load-key', text: SELECT_KEY, values: [pair] }),
  ]);
  return {
    tokens: tokens.map(tokenFrom),
    secrets: secrets.map(secretFrom),
    keyId: key === undefined ? null : String(key['id']),
  };
}

const SELECT_TOKENS = `select name, role, agent, encode(hash, 'hex') as hash,
  ${ms('created_at', 'createdAt')}, created_by as "createdBy", ${ms('expires_at', 'expiresAt')}
  from token where pair = $1`;

const SELECT_SECRETS = `select name, key_id as "keyId", encode(nonce, 'base64') as nonce,
  encode(data, 'base64') as data, former, ${ms('updated_at', 'updatedAt')}, updated_by as "updatedBy"
  from secret where pair = $1`;

const SELECT_KEY = 'select id from pair_key where pair = $1';

function tokenFrom(row: Row): TokenRecord {
  return row as Row & TokenRecord;
}

function secretFrom(row: Row): SecretRecord {
  const { nonce, data, former, ...rest } = row as Row & SealedText & { former: SealedText[] };
  return {
    ...(rest as Row & Omit<SecretRecord, 'sealed' | 'former'>),
    sealed: sealedFrom({ nonce, data }),
    former: former.map(sealedFrom),
  };
}
