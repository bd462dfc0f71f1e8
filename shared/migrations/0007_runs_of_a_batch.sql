-- A job may run on every agent: one run for each, all of one batch. A run knows who ordered it, and whether
-- it was late. An agent may have a time by which it is to be free.

alter table run
  -- The one agent on which it may run; null: any that the selector takes.
  add column target text,
  -- The runs that were made together, one for each agent.
  add column batch uuid,
  add column ordered_by text,
  -- When it was noticed that it had not started in time.
  add column late_at timestamptz;

drop index run_once_per_instant;
create unique index run_once_per_instant on run (pair, job, scheduled_for, coalesce(target, ''))
  where scheduled_for is not null;
drop index run_once_per_key;
create unique index run_once_per_key on run (pair, job, idempotency_key, coalesce(target, ''))
  where idempotency_key is not null;
create index run_of_batch on run (pair, batch) where batch is not null;

alter table agent add column drain_until timestamptz;

-- What happened to a run beside its end, which the run itself tells.
create index event_of_subject on event (pair, subject, seq) where kind <> 'run-ended';
