-- Web hooks: who is told of what happens, and what is still to be told.

create table hook (
  pair text not null check (pair <> ''),
  name text not null check (name <> ''),
  -- A hook that is deleted and made again is another one, which is not told what the first missed.
  id uuid not null,
  -- As users wrote it, with defaults filled in, but for the secret.
  definition jsonb not null,
  secret text,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  term bigint not null,
  primary key (pair, name)
);
comment on table hook is 'Web hooks: where to and of what.';

create table hook_delivery (
  hook uuid not null,
  -- Version 7, and the same each time it is sent.
  id uuid not null,
  pair text not null,
  event text not null,
  subject text,
  -- What is sent, to the byte: a signature covers it.
  body text not null,
  state text not null check (state in ('pending', 'delivered', 'given-up')),
  created_at timestamptz not null,
  attempts integer not null default 0,
  -- Not sent before this instant of the store's clock, whichever host looks.
  due_at timestamptz not null,
  finished_at timestamptz,
  status integer,
  problem text,
  term bigint not null,
  primary key (hook, id),
  check ((finished_at is null) = (state = 'pending'))
);
comment on table hook_delivery is 'What hooks are told: written with the event, sent by the active until it has arrived.';
create index hook_delivery_due on hook_delivery (hook, due_at) where state = 'pending';
create index hook_delivery_given_up on hook_delivery (hook, id) where state = 'given-up';
alter table hook_delivery set (autovacuum_vacuum_scale_factor = 0.02);

-- Tenures as the controllers saw them begin and end: the last one is looked for at each take-over.
create index event_of_tenure on event (pair, seq) where kind in ('tenure-begun', 'tenure-ended');
