-- A holder's word counts only on the timeline of the store on which its lease was last granted or renewed.
--
-- After a fail-over to a copy that missed something, the row may show a tenure that was over long ago: its
-- holder let it go, somebody else was granted the next one, and both are lost with the old timeline. That
-- somebody may still serve for what is left of its time. So neither a release nor testimony for the tenure
-- in the row may free it; silence and expiry may. A holder that lives renews, and its word counts again.

-- Whatever changes the lease changes it on the present timeline.
create function note_timeline() returns trigger language plpgsql as $$
begin
  new.timeline := wal_timeline();
  return new;
end
$$;
create trigger lease_notes_timeline before update on lease
  for each row execute function note_timeline();

-- Testimony and silence are the claimer's to judge; the store checks that nothing changed since
-- they were observed, that release or testimony is one of this timeline, and that the time ran out here too.
create or replace function lease_claim(
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
    when on_basis = 'testified' and held.timeline <> now_timeline
      then 'the lease was held on another timeline of the store'
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

-- Can be repeated: a release whose answer was lost is told again.
create or replace function lease_release(of_pair text, at_term bigint, by_incarnation text)
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
    or held.timeline <> wal_timeline() then
    return answer_lease(of_pair, 'refused', null);
  end if;
  update lease set released = true, renew_seq = lease.renew_seq + 1 where lease.pair = of_pair;
  perform pg_notify(lease_channel(of_pair), at_term::text);
  return answer_lease(of_pair, 'released', null);
end
$$;

do $$
begin
  execute format('revoke execute on all functions in schema %I from public', current_schema());
end
$$;
grant execute on function fence(text, bigint), lease_read(text), lease_listen(text) to public;
