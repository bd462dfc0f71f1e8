import type pg from 'pg';

/**
 * The fence as one would write it first: it looks at the term and takes no lock. A transaction that
 * has looked may then commit after the next grant.
 */
export async function fenceWithoutLock(client: pg.Client): Promise<void> {
  await client.query(`
    create or replace function fence(of_pair text, at_term bigint) returns void
    language plpgsql volatile security definer set search_path from current as $$
    begin
      perform 1 from fence where fence.pair = of_pair and fence.term = at_term;
      if not found then
        raise exception using errcode = 'UF001', message = 'the term is over';
      end if;
    end
    $$`);
}

/** A fence of the advisory lock alone, with a snapshot that may be older than the lock. */
export async function fenceWithoutRowLock(client: pg.Client): Promise<void> {
  await client.query(`
    create or replace function fence(of_pair text, at_term bigint) returns void
    language plpgsql volatile security definer set search_path from current as $$
    begin
      perform pg_advisory_xact_lock_shared(fence_key(of_pair));
      perform 1 from fence where fence.pair = of_pair and fence.term = at_term;
      if not found then
        raise exception using errcode = 'UF001', message = 'the term is over';
      end if;
    end
    $$`);
}

/** A store that does not know that it has failed over. */
export async function withoutTimeline(client: pg.Client): Promise<void> {
  await client.query(`
    create or replace function wal_timeline() returns integer language sql volatile as 'select 1'`);
}
