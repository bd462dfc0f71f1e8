import { formatTerm } from '@understudy/shared/kernel/term';
import { type By, mergeAudits, type NewAudit } from '../security/audit.ts';
import type { SecretRecord } from '../security/secrets.ts';
import type { TokenRecord } from '../security/tokens.ts';
import { toJson } from './columns.ts';
import type { Masking } from './records.ts';
import { sealedText } from './sealed-text.ts';
import type { Owner, Statement } from './write-batch.ts';

/** What a step changes of who may do what, and on whose behalf it changes anything. */
export interface SecurityChanges extends By {
  readonly tokens?: readonly TokenRecord[];
  readonly revokedTokens?: readonly string[];
  readonly secrets?: readonly SecretRecord[];
  readonly removedSecrets?: readonly string[];
  /** The id of the key with which all that is sealed is sealed from now on. */
  readonly pairKey?: string;
  readonly maskings?: readonly Masking[];
}

/** The same of a whole batch. */
export interface SecurityBatch {
  /** Null: revoked. */
  readonly tokens: Map<string, TokenRecord | null>;
  /** Null: removed. */
  readonly secrets: Map<string, SecretRecord | null>;
  readonly maskings: Masking[];
  readonly audits: NewAudit[];
  /** Null: it stays. */
  pairKey: string | null;
}

export function emptySecurity(): SecurityBatch {
  return { tokens: new Map(), secrets: new Map(), maskings: [], audits: [], pairKey: null };
}

export function addSecurity(batch: SecurityBatch, changes: SecurityChanges): void {
  for (const token of changes.tokens ?? []) batch.tokens.set(token.name, token);
  for (const name of changes.revokedTokens ?? []) batch.tokens.set(name, null);
  for (const secret of changes.secrets ?? []) batch.secrets.set(secret.name, secret);
  for (const name of changes.removedSecrets ?? []) batch.secrets.set(name, null);
  for (const masking of changes.maskings ?? []) batch.maskings.push(masking);
  batch.pairKey = changes.pairKey ?? batch.pairKey;
  if (changes.audits !== undefined) batch.audits.push(...changes.audits);
}

export interface SecurityWrite {
  readonly batch: SecurityBatch;
  /** That of the whole batch. */
  readonly id: string;
  readonly owner: Owner;
}

/** What writes what belongs to rights. Like all of a batch it can be written again. */
export function writeSecurity({ batch, id, owner }: SecurityWrite): Statement[] {
  const statements: Statement[] = [];
  const values = [owner.pair, formatTerm(owner.term)];
  if (batch.tokens.size > 0) {
    const rows = [...batch.tokens].map(tokenRow);
    statements.push({ name: 'tokens', text: WRITE_TOKENS, values: [...values, toJson(rows)] });
  }
  if (batch.secrets.size > 0) {
    const rows = [...batch.secrets].map(secretRow);
    statements.push({ name: 'secrets', text: WRITE_SECRETS, values: [...values, toJson(rows)] });
  }
  if (batch.pairKey !== null) {
    const known = [owner.pair, batch.pairKey];
    statements.push({ name: 'pair-key', text: WRITE_PAIR_KEY, values: known });
  }
  // One by one: one statement would change a row once only.
  for (const { run, attempt, from, to } of batch.maskings) {
    statements.push({ name: 'maskings', text: HIDE_OUTPUT, values: [run, attempt, from, to] });
  }
  if (batch.audits.length === 0) return statements;
  const audits = mergeAudits(batch.audits);
  const rows = audits.map((audit, place) => ({ ...audit, place, at: instant(audit.at) }));
  statements.push({ name: 'audits', text: INSERT_AUDITS, values: [...values, toJson(rows), id] });
  if (!isTimeToTrim(id)) return statements;
  for (const action of new Set(audits.map((audit) => audit.action))) {
    statements.push({ name: 'trim-audits', text: TRIM_AUDITS, values: [owner.pair, action] });
  }
  return statements;
}

const WRITE_TOKENS = `with new as (
    select * from jsonb_to_recordset($3::jsonb) as new (name text, role text, agent text, hash text,
      created_at timestamptz, created_by text, expires_at timestamptz)
  ), gone as (
    delete from token using new where token.pair = $1 and token.name = new.name and new.hash is null
  )
  insert into token (pair, term, name, role, agent, hash, created_at, created_by, expires_at)
  select $1, $2::bigint, name, role, agent, decode(hash, 'hex'), created_at, created_by, expires_at
  from new where hash is not null
  on conflict (pair, name) do update set role = excluded.role, agent = excluded.agent,
    hash = excluded.hash, created_at = excluded.created_at, created_by = excluded.created_by,
    expires_at = excluded.expires_at, term = excluded.term`;

const WRITE_SECRETS = `with new as (
    select * from jsonb_to_recordset($3::jsonb) as new (name text, key_id text, nonce text, data text,
      former jsonb, updated_at timestamptz, updated_by text)
  ), gone as (
    delete from secret using new where secret.pair = $1 and secret.name = new.name and new.data is null
  )
  insert into secret (pair, term, name, key_id, nonce, data, former, updated_at, updated_by)
  select $1, $2::bigint, name, key_id, decode(nonce, 'base64'), decode(data, 'base64'), former,
    updated_at, updated_by
  from new where data is not null
  on conflict (pair, name) do update set key_id = excluded.key_id, nonce = excluded.nonce,
    data = excluded.data, former = excluded.former, updated_at = excluded.updated_at,
    updated_by = excluded.updated_by, term = excluded.term`;

const WRITE_PAIR_KEY = `update pair_key set id = $2, known_since = clock_timestamp()
  where pair = $1 and id <> $2`;

const HIDE_OUTPUT = `update run_log set data = overlay(data
    placing convert_to(repeat('*', (least($4, start + length(data)) - greatest($3, start))::integer), 'UTF8')
    from (greatest($3, start) - start + 1)::integer)
  where run = $1 and attempt = $2 and start < $4 and start + length(data) > $3`;

const INSERT_AUDITS = `insert into audit (pair, term, batch, place, at, actor, action, subject,
    address, items, count)
  select $1, $2::bigint, $4::uuid, place, at, actor, action, subject, address, items, count
  from jsonb_to_recordset($3::jsonb) as new (place integer, at timestamptz, actor text, action text,
    subject text, address text, items jsonb, count integer)
  order by place on conflict do nothing`;

/** Of each action so many entries are kept: who does one thing very often can't push out what he did else. */
const KEPT_OF_AN_ACTION = 20_000;
const TRIMMED_AT_ONCE = 5_000;

const TRIM_AUDITS = `delete from audit where pair = $1 and seq in (
    select seq from audit where pair = $1 and action = $2 and seq <= (
      select seq from audit where pair = $1 and action = $2
      order by seq desc offset ${KEPT_OF_AN_ACTION} limit 1)
    order by seq limit ${TRIMMED_AT_ONCE})`;

/** One batch in sixteen, by its random id. */
function isTimeToTrim(id: string): boolean {
  return id.startsWith('0');
}

function tokenRow([name, token]: readonly [string, TokenRecord | null]): object {
  if (token === null) return { name };
  return {
    name,
    role: token.role,
    agent: token.agent,
    hash: token.hash,
    created_at: instant(token.createdAt),
    created_by: token.createdBy,
    expires_at: instant(token.expiresAt),
  };
}

function secretRow([name, secret]: readonly [string, SecretRecord | null]): object {
  if (secret === null) return { name };
  return {
    name,
    key_id: secret.keyId,
    ...sealedText(secret.sealed),
    former: secret.former.map(sealedText),
    updated_at: instant(secret.updatedAt),
    updated_by: secret.updatedBy,
  };
}

function instant(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
