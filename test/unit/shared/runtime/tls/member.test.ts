import { memberOf, membersIn, memberUri } from '@understudy/shared/runtime/tls/member';
import test from 'ava';

const a = { pair: 'orders', kind: 'node', id: 'a' } as const;

test('I5: the URI of a member names that member and no other', (t) => {
  t.is(memberUri(a), 'understudy://orders/node/a');
  t.deepEqual(memberOf(memberUri(a)), a);
  const agent = { pair: 'orders.eu', kind: 'agent', id: 'w-1_x' } as const;
  t.deepEqual(memberOf(memberUri(agent)), agent);
});

for (const uri of [
  'understudy://orders/node/a/b',
  'understudy://orders/node/',
  'understudy://orders/controller/a',
  'understudy://orders/node/a?x',
  'understudy://orders/node/a\n',
  'https://orders/node/a',
  'understudy://ord%65rs/node/a',
]) {
  test(`${JSON.stringify(uri)} names no member`, (t) => t.is(memberOf(uri), null));
}

test('The members are found among other names', (t) => {
  const names =
    'DNS:hb.example, IP Address:10.0.0.1, URI:understudy://orders/node/a, URI:https://x/, URI:understudy://orders/agent/w1';
  t.deepEqual(membersIn(names), [a, { pair: 'orders', kind: 'agent', id: 'w1' }]);
  t.deepEqual(membersIn(''), []);
});

test('A name that holds what looks like another one names nobody', (t) => {
  // As Node writes a host name with a comma in it.
  t.deepEqual(membersIn('DNS:"x, URI:understudy://orders/node/a"'), []);
  t.deepEqual(membersIn('DNS:"x\\", URI:understudy://orders/node/a"'), []);
  t.deepEqual(membersIn('URI:"understudy://orders/node/a"'), []);
  t.deepEqual(membersIn('DNS:x,URI:understudy://orders/node/a'), []);
  t.deepEqual(membersIn('DNS:"x, URI:understudy://orders/node/a'), []);
});
