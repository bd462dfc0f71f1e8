-- An event is recorded once. When the answer to a COMMIT is lost, the same batch of changes is written
-- again: all else in it can be written any number of times, events could not.

-- Empty in what older versions wrote, and in what they go on writing beside this one.
alter table event add column batch uuid, add column place integer;
comment on column event.batch is 'The group commit by which the event was first written.';
create unique index event_once on event (batch, place) where batch is not null;
