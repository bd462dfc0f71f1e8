-- What the heartbeats decided, and why: the history behind `understudy events` and `understudy why`.
--
-- Written by heartbeats, outside of any term: an event is told by whoever it happened to, active or not.
-- Nothing decides by this table, so it is neither fenced nor waited for.

create table pair_event (
  pair text not null check (pair <> ''),
  -- Sorted as programs sort, whatever language the database speaks.
  node text collate "C" not null check (node <> ''),
  incarnation text not null,
  seq bigint not null check (seq > 0),
  -- The wall clock of the node that tells it.
  at timestamptz not null,
  term bigint,
  kind text not null,
  message text not null,
  rule text,
  evidence text,
  facts jsonb not null,
  written_at timestamptz not null default clock_timestamp(),
  -- A heartbeat whose answer was lost writes the same events again.
  primary key (pair, node, incarnation, seq)
);
comment on table pair_event is 'Decisions of the heartbeats with evidence and rule.';
create index pair_event_in_order on pair_event (pair, at, node, seq);
create index pair_event_of_kind on pair_event (pair, kind, at);

-- How much is kept: 10,000 events of a pair, and none for longer than 180 days. Looked after now and then only.
create function pair_event_write(of_pair text, told jsonb) returns void
language plpgsql volatile security definer set search_path from current as $$
begin
  insert into pair_event
    (pair, node, incarnation, seq, at, term, kind, message, rule, evidence, facts)
  select of_pair, one.node, one.incarnation, one.seq, one.at, one.term, one.kind, one.message,
    one.rule, one.evidence, one.facts
  from jsonb_to_recordset(told) as one (
    node text, incarnation text, seq bigint, at timestamptz, term bigint, kind text, message text,
    rule text, evidence text, facts jsonb)
  on conflict do nothing;
  if random() < 0.05 then
    delete from pair_event
    where pair_event.pair = of_pair and (
      pair_event.written_at < clock_timestamp() - interval '180 days'
      or pair_event.at < (select kept.at from pair_event kept where kept.pair = of_pair
        order by kept.at desc offset 10000 limit 1));
  end if;
end
$$;

-- The first events after a place, or without one the newest; oldest first.
create function pair_event_read(
  of_pair text, after_at timestamptz, after_node text, after_seq bigint, of_kind text, at_most integer
) returns setof pair_event
language sql stable security definer set search_path from current as $$
  select * from (
    (select * from pair_event
     where after_at is null and pair = of_pair and (of_kind is null or kind = of_kind)
     order by at desc, node desc, seq desc limit at_most)
    union all
    (select * from pair_event
     where after_at is not null and pair = of_pair and (of_kind is null or kind = of_kind)
       and (at, node, seq) > (after_at, after_node, after_seq)
     order by at, node, seq limit at_most)
  ) found
  order by at, node, seq
$$;

-- Rights: as with the lease, the heartbeats' alone. A controller that shows events needs SELECT.
revoke execute on function pair_event_write(text, jsonb),
  pair_event_read(text, timestamptz, text, bigint, text, integer) from public;
