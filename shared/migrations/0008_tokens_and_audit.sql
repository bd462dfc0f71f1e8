-- Who may do what, and who did what: tokens with roles, and the audit trail.
--
-- Written by the active controller alone, like the work plane, in transactions that begin with fence(pair, term).
-- Rights: a controller needs SELECT, INSERT, UPDATE and DELETE on these tables.

create table token (
  pair text not null check (pair <> ''),
  name text not null check (name <> ''),
  role text not null check (role in ('admin', 'operator', 'viewer', 'agent')),
  -- SHA-256 of 256 random bits: the token can't be found from it.
  hash bytea not null check (length(hash) = 32),
  created_at timestamptz not null,
  created_by text not null,
  expires_at timestamptz,
  term bigint not null,
  primary key (pair, name)
);
comment on table token is 'What may be presented in place of the pair''s own token.';

create table audit (
  seq bigint generated always as identity primary key,
  pair text not null check (pair <> ''),
  at timestamptz not null,
  term bigint not null,
  -- The name of the token that was presented.
  actor text not null,
  action text not null,
  subject text not null,
  address text not null,
  -- What was made or changed of the subject: ids of runs, names of fields.
  items jsonb not null,
  count integer not null,
  -- The group commit by which it was written: when the answer to a COMMIT is lost, it is written again.
  batch uuid not null,
  place integer not null
);
comment on table audit is 'Who changed what, from where, in the transaction that made the change. Bounded for each action.';
create unique index audit_once on audit (batch, place);
create index audit_of_pair on audit (pair, seq);
create index audit_of_action on audit (pair, action, seq);
