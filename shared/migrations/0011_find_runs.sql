-- Runs are found among a million others, and cost little while they are on their way there.
--
-- What may change of a run before it is over is in no index, so these changes stay heap-only: an update
-- writes the row and nothing else. Its end writes the indexes once more. Rewrites the table of runs.

drop index run_newest;
drop index run_newest_of_agent;
drop index run_open;

-- One index less: by pair and id runs are found one by one, and listed.
alter table run
  drop constraint run_pkey,
  -- How it ended when it did not succeed. Null before that, so it changes once, at the end.
  add column failed_as text generated always as (
    case when state in ('failed', 'timed-out', 'cancelled', 'lost', 'skipped') then state end) stored,
  add primary key (pair, id);

create index run_open on run (pair, id desc) where finished_at is null;
-- What people look for. Those that succeed, as most do, are in neither.
create index run_failed on run (pair, failed_as, id desc) where failed_as is not null;
create index run_failed_of_job on run (pair, job, failed_as, id desc) where failed_as is not null;
-- The agent of a run is known once it has one; that of an attempt never changes.
create index attempt_of_agent on attempt (pair, agent, run desc);

-- The same for events: one index less, in the order in which they are read.
drop index event_of_pair;
alter table event drop constraint event_pkey, add primary key (pair, seq);

-- Large tables: looked after once one row in fifty is dead, not one in five, and what is only ever added
-- to, too, so that an index alone can answer. Small ones that change all the time: after so many rows.
alter table run set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02,
  autovacuum_vacuum_insert_scale_factor = 0.05);
alter table attempt set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02,
  autovacuum_vacuum_insert_scale_factor = 0.05);
alter table event set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02,
  autovacuum_vacuum_insert_scale_factor = 0.05);
alter table run_log set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.1,
  toast.autovacuum_vacuum_scale_factor = 0.02, toast.autovacuum_vacuum_insert_scale_factor = 0.1);
alter table agent set (fillfactor = 50, autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 500);
alter table job set (fillfactor = 50, autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 500);
