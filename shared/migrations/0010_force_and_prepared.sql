-- An operator may take the role by force, and a prepared transaction that holds the fence is named.

alter table tenure_history drop constraint tenure_history_basis_check;
alter table tenure_history add constraint tenure_history_basis_check
  check (basis in ('released', 'testified', 'silence', 'handed-over', 'forced'));

-- A prepared transaction outlives its session and any restart: nobody can be evicted for it, and until it is
-- ended no term can be granted. So it is looked for, and named with the command that ends it. Its locks have
-- no process; it is known by the lock on its own transaction id, which is held beside them.
create function why_blocked(of_pair text) returns text language plpgsql volatile as $$
declare
  key bigint := fence_key(of_pair);
  found_one record;
begin
  if current_setting('max_prepared_transactions')::integer = 0 then
    return null;
  end if;
  select prepared.gid, prepared.database, prepared.owner, prepared.prepared as since into found_one
  from pg_locks held
  join pg_locks own on own.virtualtransaction = held.virtualtransaction
    and own.locktype = 'transactionid' and own.pid is null and own.mode = 'ExclusiveLock'
  join pg_prepared_xacts prepared on prepared.transaction = own.transactionid
  where held.locktype = 'advisory'
    and held.database = (select oid from pg_database where datname = current_database())
    and held.classid::bigint = (key >> 32) & 4294967295
    and held.objid::bigint = key & 4294967295
    and held.objsubid = 1
    and held.granted
    and held.pid is null
  order by prepared.prepared
  limit 1;
  if not found then
    return null;
  end if;
  return format('the prepared transaction %L of %s holds the fence of pair "%s" since %s, and outlives every session; '
    'as that user or a superuser, end it in database %s with: ROLLBACK PREPARED %L',
    found_one.gid, found_one.owner, of_pair,
    to_char(found_one.since at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
    found_one.database, found_one.gid);
end
$$;

-- Takes the fence for itself within at most 2 s, for the rest of the transaction; does not wait for what
-- nobody here can end.
create or replace function close_fence(of_pair text) returns void language plpgsql volatile as $$
declare
  blocked text;
begin
  perform set_config('lock_timeout', '250ms', true);
  for attempt in 1..8 loop
    begin
      perform pg_advisory_xact_lock(fence_key(of_pair));
      return;
    exception when lock_not_available then
      blocked := why_blocked(of_pair);
      if blocked is not null then
        raise exception using errcode = 'UF005', message = blocked;
      end if;
      perform evict_writers(of_pair);
    end;
  end loop;
  raise exception using
    errcode = '55P03',
    message = format('writers of pair "%s" hold the fence and could not be evicted', of_pair);
end
$$;

-- As before; and a pair whose fence is held by a prepared transaction holds still, for whoever claims: each
-- try would hold up its writers, in vain.
create or replace function lease_claim(
  of_pair text, to_node text, to_incarnation text, on_basis text, seen_term bigint,
  seen_renew_seq bigint, seen_timeline integer, highest_term bigint, for_ttl_ms integer,
  with_evidence text, even_if_not_expired boolean, is_ordered boolean, most_claims integer,
  within_ms bigint
) returns lease_answer
language plpgsql volatile security definer set search_path from current as $$
declare
  refusal text;
begin
  if not is_ordered then
    refusal := why_still(of_pair, to_node, most_claims, within_ms);
  end if;
  refusal := coalesce(refusal, why_blocked(of_pair));
  if refusal is not null then
    return answer_lease(of_pair, 'holds-still', refusal);
  end if;
  return lease_claim(
    of_pair, to_node, to_incarnation, on_basis, seen_term, seen_renew_seq, seen_timeline,
    highest_term, for_ttl_ms, with_evidence, even_if_not_expired);
end
$$;

do $$
begin
  execute format('revoke execute on all functions in schema %I from public', current_schema());
end
$$;
grant execute on function fence(text, bigint), lease_read(text), lease_listen(text) to public;
