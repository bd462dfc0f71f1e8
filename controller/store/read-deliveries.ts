import { type DeliveryState, hookSchema } from '@understudy/shared/protocol/hooks';
import type { DeliveryRecord, HookRecord, HookSecret, PendingDelivery } from './hook-records.ts';
import type { Reader } from './reader.ts';
import { ms, type Row } from './rows.ts';
import { type SealedText, sealedFrom } from './sealed-text.ts';

export type Select = Pick<Reader, 'select'>;

export const hookColumns = `name, id, definition, secret, sealed, ${ms('created_at', 'createdAt')},
  ${ms('updated_at', 'updatedAt')}`;

export function hookFrom(row: Row): HookRecord {
  const { secret, sealed, ...rest } = row as Row & StoredSecret;
  const { secret: _, ...definition } = hookSchema.parse(row['definition']);
  const hook = rest as Row & Omit<HookRecord, 'definition' | 'secret'>;
  return { ...hook, definition, secret: secretFrom({ secret, sealed }) };
}

interface StoredSecret {
  readonly secret: string | null;
  readonly sealed: (SealedText & { readonly keyId: string }) | null;
}

function secretFrom({ secret, sealed }: StoredSecret): HookSecret | null {
  if (secret !== null) return { type: 'plain', text: secret };
  if (sealed === null) return null;
  return { type: 'sealed', keyId: sealed.keyId, sealed: sealedFrom(sealed) };
}

export interface DueOptions {
  readonly hook: string;
  /** Those that are being sent already. */
  readonly except: readonly string[];
  readonly limit: number;
}

/** What a hook is to be told next: what is due, and what will be. */
export async function nextDeliveries(
  reader: Select,
  { hook, except, limit }: DueOptions,
): Promise<PendingDelivery[]> {
  const rows = await reader.select(
    `select id, event, body, attempts,
       greatest(0, extract(epoch from clock_timestamp() - created_at) * 1000)::float8 as "ageMs",
       greatest(0, extract(epoch from due_at - clock_timestamp()) * 1000)::float8 as "waitMs"
     from hook_delivery where hook = $1 and state = 'pending' and not (id = any($2::uuid[]))
     order by due_at limit ${limit}`,
    [hook, except],
  );
  return rows as (Row & PendingDelivery)[];
}

export interface ListDeliveriesOptions {
  readonly hook: string;
  readonly state: DeliveryState | null;
  /** Older than this one. */
  readonly after: string | null;
  readonly limit: number;
}

/** What a hook was told or is to be told, newest first. */
export async function listDeliveries(
  reader: Select,
  { hook, state, after, limit }: ListDeliveriesOptions,
): Promise<DeliveryRecord[]> {
  const rows = await reader.select(
    `select id, event, subject, state, ${ms('created_at', 'createdAt')}, attempts,
       ${ms('due_at', 'dueAt')}, ${ms('finished_at', 'finishedAt')}, status, problem
     from hook_delivery where hook = $1 and ($2::text is null or state = $2)
       and ($3::uuid is null or id < $3) order by id desc limit ${limit}`,
    [hook, state, after],
  );
  return rows as (Row & DeliveryRecord)[];
}
