-- Secrets, encrypted with the key of the pair's key store. The key itself is never here: only its id.

create table pair_key (
  pair text primary key check (pair <> ''),
  -- A hash of the key: by it a node with another key is found out.
  id text not null check (id <> ''),
  known_since timestamptz not null default clock_timestamp()
);
comment on table pair_key is 'Which key the secrets of a pair are encrypted with. Written by `understudy create`.';

create table secret (
  pair text not null check (pair <> ''),
  name text not null check (name <> ''),
  key_id text not null,
  -- AES-256-GCM over the value, with pair and name as what it is about.
  nonce bytea not null,
  data bytea not null,
  -- Former values, sealed like the present one: runs under way may still write them into their output.
  former jsonb not null,
  updated_at timestamptz not null,
  updated_by text not null,
  term bigint not null,
  primary key (pair, name)
);
comment on table secret is 'Given to runs as environment; masked in their output.';
