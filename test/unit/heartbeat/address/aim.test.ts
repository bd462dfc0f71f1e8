import { aimOf } from '@understudy/heartbeat/address/plan/aim';
import test from 'ava';
import { free, ours, serving, warm } from '../machine.ts';

const successor = {
  holder: { node: 'b', incarnation: 'other' },
  controllerUrl: 'http://b:7300',
} as const;
const MARGIN_MS = 90;

const held = {
  ...{ kind: 'present', term: 5n },
  ...{ trustedUntil: 910, leaseUntil: 910 + MARGIN_MS },
} as const;

test('the addresses come once the port of the controller is open, and not before', (t) => {
  const machine = warm().feed(10, { kind: 'lease-read', row: free });
  t.is(aimOf(machine.state, MARGIN_MS).kind, 'absent');
  machine.feed(20, { kind: 'claim-granted', sentAt: 10, row: ours });
  t.is(machine.state.phase.name, 'promoting');
  t.is(aimOf(machine.state, MARGIN_MS).kind, 'absent');
  machine.feed(25, { kind: 'controller-listening', term: 4n });
  t.is(aimOf(machine.state, MARGIN_MS).kind, 'absent', 'what it said in an earlier term');
  machine.feed(30, { kind: 'controller-listening', term: 5n });
  t.deepEqual(aimOf(machine.state, MARGIN_MS), held);
  machine.feed(40, { kind: 'controller-serving', term: 5n });
  t.deepEqual(aimOf(machine.state, MARGIN_MS), held);
});

test('they come with a controller that only says that it serves, as a wrapped one does', (t) => {
  t.deepEqual(aimOf(serving().state, MARGIN_MS), held);
});

test('they go with a controller that does not come to serve', (t) => {
  const machine = warm()
    .feed(10, { kind: 'lease-read', row: free })
    .feed(20, { kind: 'claim-granted', sentAt: 10, row: ours })
    .feed(30, { kind: 'controller-listening', term: 5n });
  t.is(aimOf(machine.state, MARGIN_MS).kind, 'present');
  machine.feed(40, { kind: 'controller-gone', detail: 'SIGKILL' });
  t.is(aimOf(machine.state, MARGIN_MS).kind, 'absent');
});

test('they go before anything else when the tenure ends, and stay while a controller finishes', (t) => {
  const fenced = serving().feed(40, { kind: 'controller-unhealthy', detail: 'x' });
  t.is(fenced.state.phase.name, 'fencing');
  t.is(aimOf(fenced.state, MARGIN_MS).kind, 'absent');
  const draining = serving().feed(40, { kind: 'stop' });
  t.is(draining.state.phase.name, 'draining');
  t.is(aimOf(draining.state, MARGIN_MS).kind, 'present');
});

test('they stay through a switch-over, and leave once the lease is handed over', (t) => {
  const machine = serving().feed(40, { kind: 'switch-over-asked', successor });
  t.is(machine.state.phase.name, 'quiescing');
  t.is(aimOf(machine.state, MARGIN_MS).kind, 'present');
  machine.feed(50, { kind: 'controller-held' });
  t.is(machine.state.phase.name, 'handing-over');
  t.is(aimOf(machine.state, MARGIN_MS).kind, 'present');
  const row = { ...ours, term: 6n, holder: successor.holder };
  machine.feed(60, { kind: 'handed-over', term: 5n, row });
  t.is(machine.state.phase.name, 'watching');
  t.deepEqual(aimOf(machine.state, MARGIN_MS), { kind: 'leaving' });
  machine.feed(6_000, { kind: 'controller-gone', detail: 'x' });
  t.deepEqual(aimOf(machine.state, MARGIN_MS), { kind: 'absent' });
});
