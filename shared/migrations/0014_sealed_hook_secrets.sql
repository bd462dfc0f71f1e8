-- What signs the notices of a web hook is encrypted with the pair's key store, like the secrets of jobs.
--
-- Here nobody has the key: what lies in `secret` from before is sealed, and removed from there, by the first
-- active controller that has it.

alter table hook add column sealed jsonb;
comment on column hook.sealed is 'keyId, nonce and data of AES-256-GCM, with pair and id as what it is about.';
comment on column hook.secret is 'As it was given, where the pair had no key store. Counts before `sealed`, and is never written anew.';
