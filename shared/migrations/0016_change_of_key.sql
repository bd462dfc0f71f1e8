-- The key of a pair can be changed: all that is sealed, and the id of the key, in one fenced transaction.
-- Rights: a controller needs UPDATE on pair_key, beside SELECT.

comment on table pair_key is 'Which key the secrets of a pair are encrypted with. Made by `understudy create`, changed by the active controller (`understudy secret rekey`).';
