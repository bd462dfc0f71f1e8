-- A token of the role agent may be that of one agent alone: it is good for no other id.

alter table token add column agent text
  check (agent is null or (agent <> '' and role = 'agent'));
comment on column token.agent is 'The one agent that may present it; null: not bound to one.';
