-- The work plane: jobs, runs, their attempts and output, agents, and what happened.
--
-- Every row carries the pair it belongs to and the term under which it was last written. All writes
-- come from the active controller, in transactions that begin with fence(pair, term). Rights: a
-- controller needs SELECT, INSERT, UPDATE and DELETE on these tables.

create table job (
  pair text not null check (pair <> ''),
  name text not null check (name <> ''),
  -- As users wrote it, with defaults filled in.
  definition jsonb not null,
  -- Up to this instant it was decided what the schedule's instants become; later ones are due or missed.
  decided_until timestamptz not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  term bigint not null,
  primary key (pair, name)
);
comment on table job is 'Definitions of what runs.';

create table run (
  -- Version 7: ids sort by the time of creation.
  id uuid primary key,
  pair text not null check (pair <> ''),
  job text not null,
  state text not null check (state in
    ('queued', 'dispatched', 'running', 'succeeded', 'failed', 'timed-out', 'cancelled', 'lost', 'skipped')),
  scheduled_for timestamptz,
  created_at timestamptz not null,
  started_at timestamptz,
  finished_at timestamptz,
  exit_code integer,
  reason text,
  agent text,
  parameters jsonb not null,
  -- What of the job's definition counts for this run, as it was when the run was made.
  spec jsonb not null,
  idempotency_key text,
  retry_of uuid,
  -- Not sent before this instant: the pause before the next attempt.
  not_before timestamptz,
  -- Somebody asked to cancel it, for this reason; it is over when its agent says so.
  cancel_reason text,
  term bigint not null,
  check ((finished_at is null) = (state in ('queued', 'dispatched', 'running')))
) with (fillfactor = 80);
comment on table run is 'Executions of jobs. A run that is finished never changes again.';

-- What makes a run exist once: its instant, or the key of the request that asked for it.
create unique index run_once_per_instant on run (pair, job, scheduled_for)
  where scheduled_for is not null;
create unique index run_once_per_key on run (pair, job, idempotency_key)
  where idempotency_key is not null;
create index run_open on run (pair) where finished_at is null;
create index run_newest on run (pair, id desc);
create index run_newest_of_job on run (pair, job, id desc);
create index run_newest_of_agent on run (pair, agent, id desc) where agent is not null;

create table attempt (
  run uuid not null,
  number integer not null check (number >= 1),
  pair text not null,
  agent text not null,
  state text not null check (state in
    ('dispatched', 'running', 'succeeded', 'failed', 'timed-out', 'cancelled', 'lost')),
  -- The term under which it was ordered; `term` is that of the last write.
  ordered_term bigint not null,
  ordered_at timestamptz not null,
  started_at timestamptz,
  finished_at timestamptz,
  exit_code integer,
  signal text,
  reason text,
  -- Length of its output; what comes after the attempt is over does not count.
  log_bytes bigint not null,
  term bigint not null,
  primary key (run, number),
  check ((finished_at is null) = (state in ('dispatched', 'running')))
) with (fillfactor = 80);
comment on table attempt is 'Tries of runs, each on one agent.';

create table run_log (
  run uuid not null,
  attempt integer not null,
  -- Where in the attempt's output these bytes begin.
  start bigint not null check (start >= 0),
  data bytea not null,
  pair text not null,
  term bigint not null,
  primary key (run, attempt, start)
);
comment on table run_log is 'The output of attempts, in pieces as it arrived.';

create table agent (
  pair text not null check (pair <> ''),
  id text not null check (id <> ''),
  incarnation uuid not null,
  -- Names the journal on the agent's disk: while it stays, what the agent does not know it never started.
  journal uuid,
  version text not null,
  labels jsonb not null,
  slots integer not null check (slots >= 0),
  draining boolean not null,
  lost boolean not null,
  last_seen_at timestamptz not null,
  term bigint not null,
  primary key (pair, id)
);
comment on table agent is 'Worker hosts that have registered.';

create table event (
  seq bigint generated always as identity primary key,
  pair text not null check (pair <> ''),
  at timestamptz not null,
  term bigint not null,
  kind text not null,
  -- What it is about: the name of a job or an agent, the id of a run.
  subject text,
  message text not null,
  facts jsonb not null
);
comment on table event is 'What happened in the work plane, and why.';
create index event_of_pair on event (pair, seq);
