import test from 'ava';
import { followingFaults, staleOrders } from '../../support/invariants/agents.ts';

const agent = { agent: 'w1', running: true, connected: true, term: 4n };

test('I8 accepts agents that follow the active, and those that have ended', (t) => {
  const ended = { agent: 'w2', running: false, connected: false, term: 2n };
  t.deepEqual(followingFaults([agent, { ...agent, term: 3n }, ended], 4n), []);
});

test('I8 refuses an agent that runs and follows nobody', (t) => {
  t.is(followingFaults([{ ...agent, connected: false }], 4n).length, 1);
});

test('I8 refuses an active below what an agent knows', (t) => {
  t.is(followingFaults([{ ...agent, term: 5n }], 4n).length, 1);
});

test('I8 accepts orders of terms that rise', (t) => {
  const orders = [1n, 1n, 3n].map((term) => ({ agent: 'w1', term }));
  t.deepEqual(staleOrders([...orders, { agent: 'w2', term: 2n }]), []);
});

test('I8 refuses an order of a term below one that was acted on', (t) => {
  const orders = [1n, 3n, 2n].map((term) => ({ agent: 'w1', term }));
  t.is(staleOrders(orders).length, 1);
});
