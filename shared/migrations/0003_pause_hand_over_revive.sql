-- What a pair needs beyond grant and renewal: a pause and a limit of fail-overs that the store keeps, a
-- hand-over that can be proven not to have happened, and a lease that its own holder may revive.

-- A pause lives in the store, so that both nodes know of it and neither has to remember it.
create table pause (
  pair text primary key check (pair <> ''),
  until timestamptz not null check (isfinite(until)),
  by_node text not null,
  since timestamptz not null
);
comment on table pause is 'No automatic change of roles until then.';

-- How often the holder revived its own lease in this term: a renewal after expiry must be one of these.
alter table lease add column revivals integer not null default 0;

alter type lease_answer add attribute remaining_ms bigint;
alter type lease_answer add attribute paused_ms bigint;

-- `remaining_ms` is for planning the next reading, nothing is decided by it.
create or replace function answer_lease(of_pair text, with_outcome text, with_why text)
returns lease_answer language plpgsql volatile as $$
declare
  held lease;
  paused_until timestamptz;
  now_timeline integer := wal_timeline();
begin
  select * into held from lease where lease.pair = of_pair;
  if not found then
    perform refuse_unprepared(of_pair);
  end if;
  select pause.until into paused_until from pause
    where pause.pair = of_pair and pause.until > clock_timestamp();
  return (
    with_outcome,
    with_why,
    held.term,
    held.holder,
    held.incarnation,
    held.renew_seq,
    held.released and held.timeline = now_timeline,
    held.expires_at < clock_timestamp(),
    held.ttl_ms,
    now_timeline,
    ceil(1000 * extract(epoch from held.expires_at - clock_timestamp()))::bigint,
    ceil(1000 * extract(epoch from paused_until - clock_timestamp()))::bigint
  )::lease_answer;
end
$$;

-- Why nobody but the last holder's node may claim now; null when there is no reason. It is looked at
-- before anything is locked: a pair that holds still must not hold up its writers as well.
create function why_still(of_pair text, to_node text, most_claims integer, within_ms bigint)
returns text language plpgsql volatile as $$
declare
  last_holder text;
  last_term bigint;
  let_go boolean;
  paused_until timestamptz;
  claims integer;
begin
  select lease.holder, lease.term, lease.released into last_holder, last_term, let_go
    from lease where lease.pair = of_pair;
  if last_holder is null or last_holder = to_node then
    return null;
  end if;
  -- A successor that gave back what was handed over to it: the giver may take the role again.
  if let_go and to_node = (
    select before.node from tenure_history given
    join tenure_history before on before.pair = given.pair and before.term < given.term
    where given.pair = of_pair and given.term = last_term and given.basis = 'handed-over'
    order by before.term desc limit 1
  ) then
    return null;
  end if;
  select pause.until into paused_until from pause
    where pause.pair = of_pair and pause.until > clock_timestamp();
  if found then
    return format('the pair is paused until %s: only %s may take the role back',
      to_char(paused_until at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), last_holder);
  end if;
  select count(*) into claims from tenure_history past
    where past.pair = of_pair and past.basis <> 'handed-over'
      and past.granted_at > clock_timestamp() - within_ms * interval '1 millisecond'
      and past.granted_at <= clock_timestamp();
  if claims >= most_claims then
    return format('%s claims within %s s: the pair holds still, and only %s may take the role back',
      claims, within_ms / 1000, last_holder);
  end if;
  return null;
end
$$;

-- As lease_claim, unless the pair holds still. An operator's order is carried out all the same.
create function lease_claim(
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
  if refusal is not null then
    return answer_lease(of_pair, 'holds-still', refusal);
  end if;
  return lease_claim(
    of_pair, to_node, to_incarnation, on_basis, seen_term, seen_renew_seq, seen_timeline,
    highest_term, for_ttl_ms, with_evidence, even_if_not_expired);
end
$$;

-- With `even_if_expired` the holder revives its own lease, which ran out while the store was away and all
-- of its peers were bound to stay passive. It is still a compare-and-set on the tenure: had anybody claimed
-- meanwhile, the term would be another. Whoever watches sees a change, and waits a whole lease time anew.
create function lease_renew(
  of_pair text, at_term bigint, by_incarnation text, even_if_expired boolean
) returns lease_answer
language plpgsql volatile security definer set search_path from current as $$
declare
  held lease;
begin
  select * into held from lease where lease.pair = of_pair for no key update;
  if not found then
    perform refuse_unprepared(of_pair);
  end if;
  if held.term <> at_term or held.incarnation is distinct from by_incarnation or held.released
    or (held.expires_at <= clock_timestamp() and not even_if_expired) then
    return answer_lease(of_pair, 'refused', null);
  end if;
  update lease set
    renew_seq = lease.renew_seq + 1,
    revivals = lease.revivals + (held.expires_at <= clock_timestamp())::integer,
    expires_at = lease_expiry(held.ttl_ms)
  where lease.pair = of_pair;
  return answer_lease(of_pair, 'granted', null);
end
$$;

create or replace function lease_renew(of_pair text, at_term bigint, by_incarnation text)
returns lease_answer
language plpgsql volatile security definer set search_path from current as $$
begin
  return lease_renew(of_pair, at_term, by_incarnation, false);
end
$$;

-- Compare-and-set on renew_seq as well: a renewal that was granted after a hand-over whose answer was lost
-- proves that the hand-over did not happen and never will.
create function lease_hand_over(
  of_pair text, at_term bigint, by_incarnation text, seen_renew_seq bigint,
  to_node text, to_incarnation text
) returns lease_answer
language plpgsql volatile security definer set search_path from current as $$
declare
  held lease;
begin
  perform close_fence(of_pair);
  select * into held from lease where lease.pair = of_pair for update;
  if not found then
    perform refuse_unprepared(of_pair);
  end if;
  if held.term <> at_term or held.incarnation is distinct from by_incarnation
    or held.renew_seq <> seen_renew_seq
    or held.released or held.expires_at <= clock_timestamp() then
    return answer_lease(of_pair, 'refused', null);
  end if;
  perform grant_lease(
    held, to_node, to_incarnation, 'handed-over', 0, held.ttl_ms,
    format('by %s, which held term %s', held.holder, held.term));
  return answer_lease(of_pair, 'handed-over', null);
end
$$;
drop function lease_hand_over(text, bigint, text, text, text);

-- Null, or no time at all, ends the pause.
create function lease_pause(of_pair text, for_ms bigint, by_whom text) returns lease_answer
language plpgsql volatile security definer set search_path from current as $$
begin
  if coalesce(for_ms, 0) <= 0 then
    delete from pause where pause.pair = of_pair;
  else
    insert into pause (pair, until, by_node, since)
    values (of_pair, clock_timestamp() + for_ms * interval '1 millisecond', by_whom, clock_timestamp())
    on conflict (pair) do update set
      until = excluded.until, by_node = excluded.by_node, since = excluded.since;
  end if;
  perform pg_notify(lease_channel(of_pair), 'pause');
  return answer_lease(of_pair, 'read', null);
end
$$;

-- Which database cluster this is, so that two nodes can see that they use different ones. Null where the
-- server does not tell.
create function store_identity() returns text
language plpgsql volatile security definer set search_path from current as $$
begin
  return (select system_identifier::text from pg_control_system())
    || '/' || (select oid::text from pg_database where datname = current_database())
    || '/' || current_schema();
exception when insufficient_privilege then
  return null;
end
$$;

do $$
begin
  execute format('revoke execute on all functions in schema %I from public', current_schema());
end
$$;
grant execute on function fence(text, bigint), lease_read(text), lease_listen(text) to public;
