-- The lease: who is active. The fence: whose writes still count. The nodes: who is there.
--
-- What this guarantees, given that every write of the repository begins with fence(pair, term):
-- a grant and the end of the old term are one moment. When a claim commits, each transaction of
-- an older term has either committed before it, and is visible, or will never commit.
--
-- Each function is one atomic step and one round trip. They are volatile plpgsql on purpose: each
-- statement inside has a snapshot of its own, taken after the locks above it, whereas a single SQL
-- statement would look at the world as it was before it waited. They run with their owner's rights,
-- so that a controller needs no more than SELECT and the right to call fence().

-- TABLES

create table lease (
  pair text primary key check (pair <> ''),
  term bigint not null check (term >= 0),
  holder text check (holder <> ''),
  incarnation text check (incarnation <> ''),
  renew_seq bigint not null check (renew_seq >= 0),
  expires_at timestamptz not null check (isfinite(expires_at)),
  released boolean not null,
  ttl_ms integer not null check (ttl_ms > 0),
  -- The WAL timeline of the last grant or release: a release counts on its own timeline only.
  timeline integer not null check (timeline >= 1),
  check ((holder is null) = (incarnation is null)),
  check ((holder is null) = (term = 0))
) with (fillfactor = 50);
comment on table lease is 'Who is active: one row per pair, renewed every few hundred milliseconds.';

-- The term is part of a unique key. That makes raising it conflict with FOR KEY SHARE.
create table fence (
  pair text primary key check (pair <> ''),
  term bigint not null check (term >= 0),
  unique (pair, term)
);
comment on table fence is 'The term whose transactions may commit. Renewals never touch it.';

create table tenure_history (
  pair text not null,
  term bigint not null check (term > 0),
  node text not null,
  incarnation text not null,
  basis text not null check (basis in ('released', 'testified', 'silence', 'handed-over')),
  evidence text not null,
  ttl_ms integer not null,
  granted_at timestamptz not null,
  timeline integer not null,
  primary key (pair, term)
);
comment on table tenure_history is 'Every grant, with the evidence. No term is granted twice.';

create table node (
  pair text not null check (pair <> ''),
  node text not null check (node <> ''),
  incarnation text not null check (incarnation <> ''),
  heartbeat_url text not null,
  controller_url text not null,
  version text not null,
  boot_id text not null,
  pid integer not null,
  pid_start text not null,
  started_at timestamptz not null,
  seen_at timestamptz not null,
  seen_seq bigint not null,
  primary key (pair, node)
) with (fillfactor = 50);
comment on table node is 'The nodes of each pair: one incarnation per node id, and its last sign of life.';

-- A TERM NEVER FALLS

create function refuse_lower_term() returns trigger language plpgsql as $$
begin
  raise exception using
    errcode = 'UF002',
    message = format('the term of pair "%s" is %s and cannot fall to %s', old.pair, old.term, new.term);
end
$$;

create trigger lease_term_never_falls before update on lease
  for each row when (new.term < old.term) execute function refuse_lower_term();
create trigger fence_term_never_falls before update on fence
  for each row when (new.term < old.term) execute function refuse_lower_term();

-- WHAT ALL FUNCTIONS SHARE

-- What each operation on the lease answers: its outcome, and the row as it is then.
create type lease_answer as (
  outcome text,
  why text,
  term bigint,
  holder text,
  incarnation text,
  renew_seq bigint,
  released boolean,
  expired boolean,
  ttl_ms integer,
  timeline integer
);

-- From the name of the WAL file, because the control file learns of a new timeline later.
create function wal_timeline() returns integer language plpgsql volatile as $$
begin
  if pg_is_in_recovery() then
    raise exception using errcode = 'UF004', message = 'this server is a replica and grants nothing';
  end if;
  return ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer;
end
$$;

create function refuse_unprepared(of_pair text) returns void language plpgsql as $$
begin
  raise exception using
    errcode = 'UF003',
    message = format('pair "%s" has no complete lease and fence in schema "%s"; run `understudy create` to prepare or repair it',
      of_pair, current_schema());
end
$$;

create function answer_lease(of_pair text, with_outcome text, with_why text)
returns lease_answer language plpgsql volatile as $$
declare
  held lease;
  answer lease_answer;
  now_timeline integer := wal_timeline();
begin
  select * into held from lease where lease.pair = of_pair;
  if not found then
    perform refuse_unprepared(of_pair);
  end if;
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
    now_timeline
  )::lease_answer;
end
$$;

create function lease_expiry(after_ms integer) returns timestamptz language sql volatile as $$
  select clock_timestamp() + after_ms * interval '1 millisecond'
$$;

-- Wakes whoever waits for a change. Names of channels are short, names of pairs need not be.
create function lease_channel(of_pair text) returns text language sql stable as $$
  select 'understudy_' || md5(format('%s.%s', current_schema(), of_pair))
$$;

create function lease_listen(of_pair text) returns void language plpgsql
security definer set search_path from current as $$
begin
  execute format('listen %I', lease_channel(of_pair));
end
$$;

-- THE FENCE

create function fence_key(of_pair text) returns bigint language sql stable as $$
  select hashtextextended(format('understudy fence %s.%s', current_schema(), of_pair), 0)
$$;

-- The first statement of every transaction of the repository, before any savepoint. Two locks, each
-- for what the other lacks. FOR KEY SHARE alone never commits late, but starves the promoter, for
-- row locks are not queued fairly. The advisory lock is queued fairly, but above READ COMMITTED
-- the snapshot may be older than the lock.
create function fence(of_pair text, at_term bigint) returns void
language plpgsql volatile security definer set search_path from current as $$
declare
  current_term bigint;
begin
  perform pg_advisory_xact_lock_shared(fence_key(of_pair));
  perform 1 from fence where fence.pair = of_pair and fence.term = at_term for key share;
  if found then
    return;
  end if;
  select fence.term into current_term from fence where fence.pair = of_pair;
  if not found then
    perform refuse_unprepared(of_pair);
  end if;
  raise exception using
    errcode = 'UF001',
    message = format('term %s of pair "%s" is over: the term is %s', at_term, of_pair, current_term);
end
$$;

-- Ends the sessions of writers that hold the fence: a frozen or dark host must not hold up its successor.
create function evict_writers(of_pair text) returns void language plpgsql volatile as $$
declare
  key bigint := fence_key(of_pair);
begin
  perform pg_terminate_backend(held.pid)
  from pg_locks held
  where held.locktype = 'advisory'
    and held.database = (select oid from pg_database where datname = current_database())
    and held.classid::bigint = (key >> 32) & 4294967295
    and held.objid::bigint = key & 4294967295
    and held.objsubid = 1
    and held.mode = 'ShareLock'
    and held.granted
    and held.pid <> pg_backend_pid();
end
$$;

-- Takes the fence for itself within at most 2 s, for the rest of the transaction.
create function close_fence(of_pair text) returns void language plpgsql volatile as $$
begin
  perform set_config('lock_timeout', '250ms', true);
  for attempt in 1..8 loop
    begin
      perform pg_advisory_xact_lock(fence_key(of_pair));
      return;
    exception when lock_not_available then
      perform evict_writers(of_pair);
    end;
  end loop;
  raise exception using
    errcode = '55P03',
    message = format('writers of pair "%s" hold the fence and could not be evicted', of_pair);
end
$$;

-- THE LEASE

create function lease_read(of_pair text) returns lease_answer
language plpgsql volatile security definer set search_path from current as $$
begin
  return answer_lease(of_pair, 'read', null);
end
$$;

-- What a grant does, under the closed fence: lease, fence and history in one transaction.
create function grant_lease(
  held lease, to_node text, to_incarnation text, on_basis text, highest_term bigint,
  for_ttl_ms integer, with_evidence text
) returns void language plpgsql volatile as $$
declare
  now_timeline integer := wal_timeline();
  fence_term bigint;
  granted_term bigint;
begin
  select fence.term into fence_term from fence where fence.pair = held.pair for update;
  if not found then
    perform refuse_unprepared(held.pair);
  end if;
  -- A grant that a crash of the server undoes could be given to somebody else with the same term.
  if current_setting('synchronous_commit') = 'off' then
    perform set_config('synchronous_commit', 'on', true);
  end if;
  -- The timeline in the high bits: a replica promoted without the last grants gives none of them again.
  granted_term := greatest(
    held.term, fence_term, highest_term, (now_timeline - 1)::bigint << 40,
    (select max(past.term) from tenure_history past where past.pair = held.pair)
  ) + 1;
  update lease set
    term = granted_term, holder = to_node, incarnation = to_incarnation, renew_seq = 0,
    expires_at = lease_expiry(for_ttl_ms), released = false, ttl_ms = for_ttl_ms,
    timeline = now_timeline
  where lease.pair = held.pair;
  update fence set term = granted_term where fence.pair = held.pair;
  insert into tenure_history
    (pair, term, node, incarnation, basis, evidence, ttl_ms, granted_at, timeline)
  values
    (held.pair, granted_term, to_node, to_incarnation, on_basis, with_evidence, for_ttl_ms,
     clock_timestamp(), now_timeline);
  perform pg_notify(lease_channel(held.pair), granted_term::text);
end
$$;

-- Testimony and silence are the claimer's to judge; the store checks that nothing changed since
-- they were observed, that a release is one of this timeline, and that the time ran out here too.
create function lease_claim(
  of_pair text, to_node text, to_incarnation text, on_basis text, seen_term bigint,
  seen_renew_seq bigint, seen_timeline integer, highest_term bigint, for_ttl_ms integer,
  with_evidence text, even_if_not_expired boolean
) returns lease_answer
language plpgsql volatile security definer set search_path from current as $$
declare
  held lease;
  now_timeline integer;
  refusal text;
begin
  perform close_fence(of_pair);
  select * into held from lease where lease.pair = of_pair for update;
  if not found then
    perform refuse_unprepared(of_pair);
  end if;
  now_timeline := wal_timeline();
  refusal := case
    when held.term <> seen_term or held.renew_seq <> seen_renew_seq
      then 'the lease has changed since it was observed'
    when now_timeline <> seen_timeline
      then 'the store has failed over since the lease was observed'
    when on_basis = 'released' and not held.released
      then 'the lease is not released'
    when on_basis = 'released' and held.timeline <> now_timeline
      then 'the lease was released on another timeline of the store'
    when on_basis = 'silence' and held.expires_at >= clock_timestamp() and not even_if_not_expired
      then 'the lease has not expired in the store'
  end;
  if refusal is not null then
    return answer_lease(of_pair, 'refused', refusal);
  end if;
  perform grant_lease(
    held, to_node, to_incarnation, on_basis, highest_term, for_ttl_ms, with_evidence);
  return answer_lease(of_pair, 'granted', null);
end
$$;

-- Holds no lock but the lease row's own, so that writers never delay a renewal. The row is locked
-- before the clock is read: a renewal that had to wait must not raise an expired lease from the dead.
create function lease_renew(of_pair text, at_term bigint, by_incarnation text)
returns lease_answer
language plpgsql volatile security definer set search_path from current as $$
declare
  held lease;
begin
  select * into held from lease where lease.pair = of_pair for no key update;
  if not found then
    perform refuse_unprepared(of_pair);
  end if;
  if held.term <> at_term or held.incarnation is distinct from by_incarnation
    or held.released or held.expires_at <= clock_timestamp() then
    return answer_lease(of_pair, 'refused', null);
  end if;
  update lease set
    renew_seq = lease.renew_seq + 1, expires_at = lease_expiry(held.ttl_ms)
  where lease.pair = of_pair;
  return answer_lease(of_pair, 'granted', null);
end
$$;

-- Can be repeated: a release whose answer was lost is told again.
create function lease_release(of_pair text, at_term bigint, by_incarnation text)
returns lease_answer
language plpgsql volatile security definer set search_path from current as $$
declare
  held lease;
begin
  select * into held from lease where lease.pair = of_pair for no key update;
  if not found then
    perform refuse_unprepared(of_pair);
  end if;
  if held.term <> at_term or held.incarnation is distinct from by_incarnation then
    return answer_lease(of_pair, 'refused', null);
  end if;
  update lease set
    released = true, renew_seq = lease.renew_seq + 1, timeline = wal_timeline()
  where lease.pair = of_pair;
  perform pg_notify(lease_channel(of_pair), at_term::text);
  return answer_lease(of_pair, 'released', null);
end
$$;

create function lease_hand_over(
  of_pair text, at_term bigint, by_incarnation text, to_node text, to_incarnation text
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
    or held.released or held.expires_at <= clock_timestamp() then
    return answer_lease(of_pair, 'refused', null);
  end if;
  perform grant_lease(
    held, to_node, to_incarnation, 'handed-over', 0, held.ttl_ms,
    format('by %s, which held term %s', held.holder, held.term));
  return answer_lease(of_pair, 'handed-over', null);
end
$$;

-- Called by `understudy create`. Makes the rows of a pair, or repairs what a TRUNCATE took away: the
-- term goes on from the highest one known, and the lease is its holder's for one lease time more,
-- since a lost row does not say whether its holder lives.
create function prepare_pair(of_pair text) returns void
language plpgsql volatile security definer set search_path from current as $$
declare
  last_tenure tenure_history;
  fence_term bigint;
  known_term bigint;
begin
  perform close_fence(of_pair);
  select * into last_tenure from tenure_history past
    where past.pair = of_pair order by past.term desc limit 1;
  select fence.term into fence_term from fence where fence.pair = of_pair;
  insert into lease
    (pair, term, holder, incarnation, renew_seq, expires_at, released, ttl_ms, timeline)
  values
    (of_pair, coalesce(last_tenure.term, 0), last_tenure.node, last_tenure.incarnation, 0,
     lease_expiry(coalesce(last_tenure.ttl_ms, 0)),
     last_tenure.term is null and coalesce(fence_term, 0) = 0, coalesce(last_tenure.ttl_ms, 1), wal_timeline())
  on conflict (pair) do nothing;
  select lease.term into known_term from lease where lease.pair = of_pair;
  insert into fence (pair, term) values (of_pair, known_term) on conflict (pair) do nothing;
end
$$;

-- THE NODES

create function node_read(of_pair text, of_node text) returns setof node
language sql stable security definer set search_path from current as $$
  select * from node where node.pair = of_pair and node.node = of_node
$$;

-- Takes a node id by compare-and-set on the incarnation that was observed to hold it (null: nobody).
create function node_take(
  of_pair text, of_node text, seen_incarnation text, by_incarnation text, with_heartbeat_url text,
  with_controller_url text, with_version text, with_boot_id text, with_pid integer,
  with_pid_start text
) returns boolean
language plpgsql volatile security definer set search_path from current as $$
begin
  if seen_incarnation is null then
    insert into node
    values (of_pair, of_node, by_incarnation, with_heartbeat_url, with_controller_url, with_version,
      with_boot_id, with_pid, with_pid_start, clock_timestamp(), clock_timestamp(), 0)
    on conflict (pair, node) do nothing;
  else
    update node set
      incarnation = by_incarnation, heartbeat_url = with_heartbeat_url,
      controller_url = with_controller_url, version = with_version, boot_id = with_boot_id,
      pid = with_pid, pid_start = with_pid_start, started_at = clock_timestamp(),
      seen_at = clock_timestamp(), seen_seq = node.seen_seq + 1
    where node.pair = of_pair and node.node = of_node and node.incarnation = seen_incarnation;
  end if;
  -- Asked of the row and not of the statement: an answer that was lost is told again.
  return exists (
    select from node
    where node.pair = of_pair and node.node = of_node and node.incarnation = by_incarnation
  );
end
$$;

-- A sign of life, and the proof that the store takes writes. False: the node id is another incarnation's.
create function node_probe(of_pair text, of_node text, by_incarnation text) returns boolean
language plpgsql volatile security definer set search_path from current as $$
begin
  update node set seen_at = clock_timestamp(), seen_seq = node.seen_seq + 1
  where node.pair = of_pair and node.node = of_node and node.incarnation = by_incarnation;
  return found;
end
$$;

-- RIGHTS: whoever may use the schema may fence its writes and read the lease, and nothing else.

do $$
begin
  execute format('revoke execute on all functions in schema %I from public', current_schema());
end
$$;
grant execute on function fence(text, bigint), lease_read(text), lease_listen(text) to public;
