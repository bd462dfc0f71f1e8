import type { StatusAnswer } from '@understudy/scripts/cli/client/heartbeat-status';
import { showTerm, table } from '@understudy/scripts/cli/output';
import { judgePair } from '@understudy/scripts/cli/pair-verdict';
import test from 'ava';

interface Said {
  readonly role: 'active' | 'passive';
  readonly ready?: boolean;
  readonly active?: string;
  /** Whether it has the virtual address. */
  readonly held?: boolean;
}

function answer(node: string, { role, ready = false, active = 'a', held }: Said): StatusAnswer {
  const status = {
    ...{ pair: 'p', node, role, ready, phase: 'serving', term: '3', notReady: [] },
    ...{ disagreements: [], promise: [], measured: [] },
    active: { node: active, url: 'http://h:1' },
    failsafe: false,
    paused: false,
    vip: held === undefined ? null : vipOf(held),
  };
  return { kind: 'answered', url: `http://${node}`, status };
}
function vipOf(held: boolean) {
  const addresses = [{ address: '10.0.0.10/24', interface: 'eth0', held }];
  return { held, addresses, problem: null };
}
const silent: StatusAnswer = { kind: 'silent', url: 'http://x', why: 'refused' };

test('one active and a ready passive is 0', (t) => {
  const { exitCode, summary } = judgePair([
    answer('a', { role: 'active' }),
    answer('b', { role: 'passive', ready: true }),
  ]);
  t.is(exitCode, 0);
  t.is(summary, 'a is active, ready to take over: b');
});

test('an active without a ready passive is 1', (t) => {
  t.is(judgePair([answer('a', { role: 'active' }), answer('b', { role: 'passive' })]).exitCode, 1);
  t.is(judgePair([answer('a', { role: 'active' }), silent]).exitCode, 1);
});

test('no active is 2', (t) => {
  t.is(judgePair([silent, answer('b', { role: 'passive', ready: true })]).exitCode, 2);
  t.is(judgePair([]).exitCode, 2);
});

test('more than one active is 3, and a contradiction is told', (t) => {
  const verdict = judgePair([
    answer('a', { role: 'active' }),
    answer('b', { role: 'active', active: 'b' }),
  ]);
  t.is(verdict.exitCode, 3);
  t.deepEqual(verdict.disagreements, [
    'a says that the active node is a, b says that the active node is b',
  ]);
});

test('a virtual address on the wrong host is told', (t) => {
  const told = (a: boolean, b: boolean) =>
    judgePair([
      answer('a', { role: 'active', held: a }),
      answer('b', { role: 'passive', ready: true, held: b }),
    ]).disagreements;
  t.deepEqual(told(true, false), []);
  t.deepEqual(told(false, true), [
    'a is active and does not have the virtual address 10.0.0.10/24',
    'b is passive and has the virtual address 10.0.0.10/24',
  ]);
});

test('tables are aligned and terms readable', (t) => {
  t.is(table(['A', 'BB'], [['xxx', 'y']]), 'A    BB\nxxx  y');
  t.is(showTerm('7'), '7');
  t.is(showTerm(`${(1n << 40n) + 2n}`), '2/2');
  t.is(showTerm(null), '-');
});
