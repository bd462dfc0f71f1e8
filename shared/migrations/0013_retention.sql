-- History is removed run by run: the events of a run are found by what they are about.
create index event_about on event using hash (subject);
