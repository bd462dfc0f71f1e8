import { formatTerm } from '@understudy/shared/kernel/term';
import type { Batch } from './changes.ts';
import type { DeliveryOutcome, HookRecord, NewDelivery } from './hook-records.ts';
import { sealedText } from './sealed-text.ts';
import type { Owner, Statement } from './write-batch.ts';

/** What writes what a batch says of hooks and of what they are told. It can be written any number of times. */
export function writeHooks(
  { hooks, deliveries, outcomes }: Pick<Batch, 'hooks' | 'deliveries' | 'outcomes'>,
  owner: Owner,
): Statement[] {
  const statements: Statement[] = [];
  const { pair } = owner;
  const term = formatTerm(owner.term);
  const gone = [...hooks].filter(([, hook]) => hook === null).map(([name]) => name);
  const kept = [...hooks.values()].filter((hook) => hook !== null);
  if (gone.length > 0) {
    statements.push({ name: 'gone-hooks', text: DELETE_HOOKS, values: [pair, gone] });
  }
  if (kept.length > 0) {
    const values = [pair, term, ...hookColumns(kept)];
    statements.push({ name: 'hooks', text: WRITE_HOOKS, values });
  }
  if (deliveries.length > 0) {
    const values = [pair, term, ...deliveryColumns(deliveries)];
    statements.push({ name: 'deliveries', text: INSERT_DELIVERIES, values });
  }
  if (outcomes.length > 0) {
    const values = [term, ...outcomeColumns(outcomes)];
    statements.push({ name: 'delivery-outcomes', text: WRITE_OUTCOMES, values });
  }
  return statements;
}

const DELETE_HOOKS = 'delete from hook where pair = $1 and name = any($2::text[])';

const WRITE_HOOKS = `insert into hook (pair, term, name, id, definition, secret, sealed, created_at, updated_at)
  select $1, $2::bigint, name, id, definition, secret, sealed,
    to_timestamp(created_at / 1000), to_timestamp(updated_at / 1000)
  from unnest($3::text[], $4::uuid[], $5::jsonb[], $6::text[], $7::jsonb[], $8::float8[], $9::float8[])
    as new (name, id, definition, secret, sealed, created_at, updated_at)
  on conflict (pair, name) do update set id = excluded.id, definition = excluded.definition,
    secret = excluded.secret, sealed = excluded.sealed, created_at = excluded.created_at, updated_at = excluded.updated_at,
    term = excluded.term`;

const INSERT_DELIVERIES = `insert into hook_delivery
    (pair, term, hook, id, event, subject, created_at, body, state, due_at)
  select $1, $2::bigint, hook, id, event, subject, clock_timestamp(), body, 'pending', clock_timestamp()
  from unnest($3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[])
    as new (hook, id, event, subject, body)
  on conflict do nothing`;

const WRITE_OUTCOMES = `update hook_delivery told set state = new.state, attempts = new.attempts,
    due_at = clock_timestamp() + new.pause_ms * interval '1 ms',
    finished_at = case when new.state <> 'pending' then clock_timestamp() end,
    status = new.status, problem = new.problem, term = $1::bigint
  from unnest($2::uuid[], $3::uuid[], $4::text[], $5::integer[], $6::float8[], $7::integer[], $8::text[])
    as new (hook, id, state, attempts, pause_ms, status, problem)
  where told.hook = new.hook and told.id = new.id and told.state = 'pending'`;

function hookColumns(hooks: readonly HookRecord[]): unknown[] {
  return [
    hooks.map(({ name }) => name),
    hooks.map(({ id }) => id),
    hooks.map(({ definition }) => JSON.stringify(definition)),
    hooks.map(({ secret }) => (secret?.type === 'plain' ? secret.text : null)),
    hooks.map(({ secret }) => sealedColumn(secret)),
    hooks.map(({ createdAt }) => createdAt),
    hooks.map(({ updatedAt }) => updatedAt),
  ];
}

function sealedColumn(secret: HookRecord['secret']): string | null {
  if (secret?.type !== 'sealed') return null;
  return JSON.stringify({ keyId: secret.keyId, ...sealedText(secret.sealed) });
}

function deliveryColumns(deliveries: readonly NewDelivery[]): unknown[] {
  return [
    deliveries.map(({ hook }) => hook),
    deliveries.map(({ id }) => id),
    deliveries.map(({ event }) => event),
    deliveries.map(({ subject }) => subject),
    deliveries.map(({ body }) => body),
  ];
}

function outcomeColumns(outcomes: readonly DeliveryOutcome[]): unknown[] {
  return [
    outcomes.map(({ hook }) => hook),
    outcomes.map(({ id }) => id),
    outcomes.map(({ state }) => state),
    outcomes.map(({ attempts }) => attempts),
    outcomes.map(({ pauseMs }) => pauseMs),
    outcomes.map(({ status }) => status),
    outcomes.map(({ problem }) => problem),
  ];
}
