import type { RoleEvent } from '@understudy/heartbeat/role/state';
import { stepRole } from '@understudy/heartbeat/role/step';
import { isServing, mayTestify, roleOf } from '@understudy/heartbeat/role/view';
import { exploredOptions, exploreRole } from '@understudy/scripts/diagram/explore-role';
import test from 'ava';
import { free, heldByB, Machine, ours, serving, warm } from './machine.ts';

const options = { ...exploredOptions };

/** A tenure of ours. */
const own = (term: bigint) => ({ term, incarnation: options.self.incarnation });

test('A fresh heartbeat warms its controller up and reads the lease', (t) => {
  t.deepEqual(new Machine().feed(0, { kind: 'tick' }).asked, ['start-controller', 'read-lease']);
});

test('A free lease is claimed at once, but only with a controller that is ready', (t) => {
  const cold = new Machine().feed(0, { kind: 'tick' }, { kind: 'controller-starting' });
  t.deepEqual(cold.feed(10, { kind: 'lease-read', row: free }).asked, []);
  t.deepEqual(cold.feed(20, { kind: 'controller-ready' }).asked, ['claim']);
});

test('A grant activates the controller with trust counted from when the claim was sent', (t) => {
  const machine = warm().feed(10, { kind: 'lease-read', row: free });
  machine.feed(60, { kind: 'claim-granted', sentAt: 10, row: ours });
  t.deepEqual(machine.effects, [
    { kind: 'activate-controller', term: 5n, trustedUntil: 10 + 1_000 - 100 },
  ]);
});

test('A renewal extends trust from when it was sent, and tells the controller', (t) => {
  const machine = serving().feed(310, { kind: 'tick' });
  t.deepEqual(machine.asked, ['renew']);
  machine.feed(350, { kind: 'renew-granted', sentAt: 310, row: ours });
  t.deepEqual(machine.effects, [
    { kind: 'extend-tenure', term: 5n, trustedUntil: 1_210, failsafe: false },
  ]);
});

test('F24: a renewal without an answer keeps the old deadline and is tried again', (t) => {
  const machine = serving().feed(310, { kind: 'tick' });
  machine.feed(410, { kind: 'renew-failed', term: 5n, sentAt: 350, error: 'no answer' });
  t.true(isServing(machine.state, 909));
  t.deepEqual(machine.feed(450, { kind: 'tick' }).asked, ['renew']);
});

test('When trust runs out the controller is killed without a goodbye, then the lease given back', (t) => {
  const machine = serving().feed(310, { kind: 'tick' });
  t.deepEqual(machine.feed(910, { kind: 'tick' }).asked, ['kill-controller']);
  t.false(isServing(machine.state, 910));
  t.is(roleOf(machine.state), 'active');
  machine.feed(920, { kind: 'controller-gone', detail: 'SIGKILL' });
  t.deepEqual(machine.asked, ['release']);
  t.is(roleOf(machine.state), 'passive');
});

test('F1: a controller that ended is fenced already: the lease is given back in the same step', (t) => {
  const machine = serving().feed(100, { kind: 'controller-gone', detail: 'SIGKILL' });
  t.deepEqual(machine.asked, ['release']);
});

test('F7: an unhealthy controller is killed, and only its end gives the lease back', (t) => {
  const machine = serving().feed(100, { kind: 'controller-unhealthy', detail: 'hung' });
  t.deepEqual(machine.asked, ['kill-controller']);
  t.deepEqual(machine.feed(110, { kind: 'controller-gone', detail: '' }).asked, ['release']);
});

test('After giving the lease back a fresh controller is warmed up', (t) => {
  const machine = serving().feed(100, { kind: 'controller-gone', detail: '' });
  const released = { ...ours, released: true };
  machine.feed(110, { kind: 'given-back', term: 5n, row: released });
  t.deepEqual(machine.asked, ['start-controller']);
});

test('A refused renewal means that the lease is lost', (t) => {
  const machine = serving().feed(310, { kind: 'tick' });
  const row = { ...heldByB, term: 6n };
  t.deepEqual(machine.feed(320, { kind: 'renew-refused', term: 5n, row }).asked, [
    'kill-controller',
  ]);
  t.is(machine.state.highestTerm, 6n);
});

test('F13: asked to stop, it drains, renews on meanwhile, gives back, and ends', (t) => {
  const machine = serving();
  t.deepEqual(machine.feed(100, { kind: 'stop' }).asked, ['drain-controller']);
  t.deepEqual(machine.feed(320, { kind: 'tick' }).asked, ['renew']);
  t.deepEqual(machine.feed(330, { kind: 'controller-gone', detail: '' }).asked, ['release']);
  machine.feed(340, { kind: 'given-back', term: 5n, row: { ...ours, released: true } });
  t.deepEqual(machine.asked, ['finish']);
});

test('A controller that does not finish draining is killed', (t) => {
  const machine = serving().feed(100, { kind: 'stop' });
  t.deepEqual(machine.feed(500, { kind: 'tick' }).asked, ['kill-controller', 'renew'].slice(0, 1));
});

test('A passive asked to stop ends its controller first', (t) => {
  const machine = warm().feed(10, { kind: 'lease-read', row: heldByB });
  t.deepEqual(machine.feed(20, { kind: 'stop' }).asked, ['kill-controller']);
  t.deepEqual(machine.feed(30, { kind: 'controller-gone', detail: '' }).asked, ['finish']);
});

test('F23: a lost answer to a claim is resolved by reading the row', (t) => {
  const machine = warm().feed(10, { kind: 'lease-read', row: free });
  machine.feed(60, { kind: 'claim-failed', error: 'no answer' });
  t.deepEqual(machine.asked, ['read-lease']);
  machine.feed(70, { kind: 'lease-read', row: ours });
  t.deepEqual(machine.effects, [
    { kind: 'activate-controller', term: 5n, trustedUntil: 10 + 1_000 - 100 },
  ]);
});

test('A grant that shows up later than its claim was given up is given back, not used', (t) => {
  const machine = warm().feed(10, { kind: 'lease-read', row: free });
  machine.feed(60, { kind: 'claim-failed', error: 'no answer' });
  machine.feed(70, { kind: 'lease-read', row: heldByB });
  machine.feed(200, { kind: 'tick' });
  machine.feed(210, { kind: 'lease-read', row: ours });
  t.deepEqual(machine.effects, [{ kind: 'release', held: { term: 5n, incarnation: 'own' } }]);
});

test('A grant is given back when the controller ended while the claim was under way', (t) => {
  const machine = warm().feed(10, { kind: 'lease-read', row: free });
  machine.feed(15, { kind: 'controller-gone', detail: 'SIGKILL' });
  machine.feed(20, { kind: 'claim-granted', sentAt: 10, row: ours });
  t.true(machine.asked.includes('release'));
  t.true(machine.asked.includes('start-controller'));
});

test('The word given binds: a grant of that term is not used even when its claim was under way', (t) => {
  const machine = warm().feed(10, { kind: 'lease-read', row: free });
  t.true(mayTestify(machine.state, own(5n), options));
  machine.feed(20, { kind: 'testified', term: 5n });
  machine.feed(30, { kind: 'claim-granted', sentAt: 10, row: ours });
  t.deepEqual(machine.asked, ['release']);
});

test('An active node does not give its word for its own term, and not while it fences', (t) => {
  const machine = serving();
  t.false(mayTestify(machine.state, own(5n), options));
  t.true(mayTestify(machine.state, own(4n), options));
  machine.feed(100, { kind: 'controller-unhealthy', detail: 'hung' });
  t.false(mayTestify(machine.state, own(5n), options));
  machine.feed(110, { kind: 'controller-gone', detail: '' });
  t.true(mayTestify(machine.state, own(5n), options));
});

test('The lease of the proven dead predecessor is given back, and its word given', (t) => {
  const held = { term: 4n, incarnation: 'earlier' };
  const row = { ...heldByB, holder: { node: 'a', incarnation: 'earlier' } };
  const machine = warm({}, 'earlier');
  t.true(mayTestify(machine.state, held, options));
  t.deepEqual(machine.feed(10, { kind: 'lease-read', row }).effects, [{ kind: 'break', held }]);
});

test('A lease of our own node id in unproven hands is left alone, and nothing is said for it', (t) => {
  const held = { term: 4n, incarnation: 'on-another-host' };
  const row = { ...heldByB, holder: { node: 'a', incarnation: 'on-another-host' } };
  const machine = warm({}, 'earlier').feed(10, { kind: 'lease-read', row });
  t.deepEqual(machine.asked, []);
  t.false(mayTestify(machine.state, held, options));
});

test('F33: after a suspension trust shrinks, and an answer to an earlier renewal proves nothing', (t) => {
  const machine = serving().feed(310, { kind: 'tick' });
  machine.feed(320, { kind: 'suspended' });
  t.false(isServing(machine.state, 520));
  machine.feed(330, { kind: 'renew-granted', sentAt: 310, row: ours });
  t.deepEqual(machine.asked, ['renew']);
  t.false(isServing(machine.state, 520));
  machine.feed(340, { kind: 'renew-granted', sentAt: 330, row: ours });
  t.true(isServing(machine.state, 1_229));
});

test('F33: a grant whose answer waited out a suspension is renewed before it is used', (t) => {
  const machine = warm().feed(10, { kind: 'lease-read', row: free });
  machine.feed(20, { kind: 'suspended' });
  machine.feed(21, { kind: 'claim-granted', sentAt: 10, row: ours });
  t.deepEqual(machine.asked, ['renew']);
  machine.feed(30, { kind: 'renew-granted', sentAt: 21, row: ours });
  t.deepEqual(machine.effects, [
    { kind: 'activate-controller', term: 5n, trustedUntil: 21 + 1_000 - 100 },
  ]);
});

test('F65: an old grant of ours that a fail-over brought back is not the answer to a claim', (t) => {
  const machine = warm()
    .feed(10, { kind: 'heard-term', term: 7n })
    .feed(11, { kind: 'lease-read', row: free })
    .feed(20, { kind: 'claim-failed', error: 'no answer' });
  machine.feed(30, { kind: 'lease-read', row: { ...ours, timeline: 2 } });
  t.is(machine.state.phase.name, 'watching');
});

test('F65: a tenure that survives a fail-over of the store ends, for its controller may know too much', (t) => {
  const machine = serving().feed(310, { kind: 'tick' });
  const moved = { ...ours, renewSeq: 1n, timeline: 2 };
  machine.feed(320, { kind: 'renew-granted', sentAt: 310, row: moved });
  t.true(machine.asked.includes('kill-controller'));
  t.is(machine.state.phase.name, 'fencing');
});

test('F65: testimony that the store did not accept is not used again', (t) => {
  const machine = warm()
    .feed(10, { kind: 'lease-read', row: heldByB })
    .feed(20, { kind: 'testimony', node: 'b', term: 4n });
  t.deepEqual(machine.asked, ['claim']);
  machine.feed(30, {
    kind: 'claim-refused',
    row: heldByB,
    why: 'another timeline',
    holdsStill: false,
  });
  t.false(machine.feed(150, { kind: 'tick' }).asked.includes('claim'));
  t.true(machine.feed(1_200, { kind: 'tick' }).asked.includes('claim'), 'silence still counts');
});

test('A claim that fails again and again is made at most once a poll', (t) => {
  const machine = warm().feed(10, { kind: 'lease-read', row: free });
  machine.feed(20, { kind: 'claim-failed', error: 'no right' });
  t.deepEqual(machine.feed(30, { kind: 'lease-read', row: free }).asked, []);
  t.true(machine.feed(131, { kind: 'tick' }).asked.includes('claim'));
});

test('A hint during a reading makes another reading follow at once', (t) => {
  const machine = new Machine().feed(0, { kind: 'tick' });
  machine.feed(5, { kind: 'hint' });
  t.deepEqual(machine.feed(10, { kind: 'lease-read', row: heldByB }).asked, ['read-lease']);
});

test('F57: while the store fails, its hints do not make anybody hurry', (t) => {
  const machine = new Machine().feed(0, { kind: 'tick' });
  machine.feed(5, { kind: 'read-failed', error: 'starting up' });
  t.deepEqual(machine.feed(6, { kind: 'hint' }).asked, []);
});

test('Testimony of another host than the holder of the lease does not count', (t) => {
  const machine = warm().feed(10, { kind: 'lease-read', row: heldByB });
  t.deepEqual(machine.feed(20, { kind: 'testimony', node: 'c', term: 9n }).asked, []);
  t.deepEqual(machine.feed(30, { kind: 'testimony', node: 'b', term: 4n }).asked, ['claim']);
});

test('Missing renewals make a passive ask for testimony, not more often than R', (t) => {
  const machine = warm().feed(10, { kind: 'lease-read', row: heldByB });
  t.true(machine.feed(620, { kind: 'tick' }).asked.includes('ask-testimony'));
  t.false(machine.feed(650, { kind: 'tick' }).asked.includes('ask-testimony'));
  t.true(machine.feed(721, { kind: 'tick' }).asked.includes('ask-testimony'));
});

test('A higher term that an agent shows makes the active step down and claim above it', (t) => {
  const machine = serving().feed(100, { kind: 'controller-saw-higher-term', term: 90n });
  t.deepEqual(machine.asked, ['kill-controller']);
  t.is(machine.state.highestTerm, 90n);
});

test('F10: from the second early failure in a row on this node holds off before it claims again', (t) => {
  let now = 0;
  const machine = warm();
  const waits: number[] = [];
  for (let i = 0; i < 4; i++) {
    const row = { ...free, term: machine.state.highestTerm + 1n };
    now = Math.max(now, machine.state.claimNotBefore, machine.state.nextReadAt) + 1;
    machine.feed(now, { kind: 'tick' }, { kind: 'lease-read', row });
    const grant = { ...ours, term: row.term + 1n };
    machine.feed(now, { kind: 'claim-granted', sentAt: now, row: grant });
    machine.feed(now, { kind: 'controller-gone', detail: 'exit code 1' });
    waits.push(machine.state.claimNotBefore - now);
    const given = { ...grant, released: true };
    machine.feed(
      now,
      { kind: 'given-back', term: grant.term, row: given },
      { kind: 'controller-starting' },
      { kind: 'controller-ready' },
    );
  }
  t.deepEqual(waits, [0, 500, 1_000, 2_000]);
});

test('F10: a tenure that never served failed early, however long it tried', (t) => {
  const machine = warm().feed(10, { kind: 'lease-read', row: free });
  machine.feed(20, { kind: 'claim-granted', sentAt: 10, row: ours });
  machine.feed(310, { kind: 'tick' });
  machine.feed(315, { kind: 'renew-granted', sentAt: 310, row: ours });
  machine.feed(511, { kind: 'tick' });
  t.is(machine.state.earlyFailures, 1);
});

test('F11: a controller that never serves is killed after its limit', (t) => {
  const machine = warm().feed(10, { kind: 'lease-read', row: free });
  machine.feed(20, { kind: 'claim-granted', sentAt: 10, row: ours });
  t.deepEqual(machine.feed(511, { kind: 'tick' }).asked, ['kill-controller']);
});

test('A store that is away is told once, and once when it is back', (t) => {
  const machine = warm();
  const away: RoleEvent = { kind: 'read-failed', error: 'refused' };
  const stories = (now: number, event: RoleEvent) => {
    const step = stepRole(machine.state, event, now, options);
    machine.state = step.state;
    return step.effects.flatMap((effect) => (effect.kind === 'tell' ? [effect.story.kind] : []));
  };
  t.deepEqual(stories(10, away), ['store-away']);
  t.deepEqual(stories(110, { kind: 'tick' }), []);
  t.deepEqual(stories(120, away), []);
  t.deepEqual(stories(220, { kind: 'tick' }), []);
  t.deepEqual(stories(230, { kind: 'lease-read', row: heldByB }), ['store-back']);
});

test('No walk of possible events breaks an invariant, and every phase is met', (t) => {
  const phases = new Set(exploreRole(500, 150).flatMap(({ from, to }) => [from, to]));
  t.deepEqual([...phases].sort(), [
    'claiming',
    'draining',
    'fencing',
    'handing-over',
    'promoting',
    'quiescing',
    'releasing',
    'serving',
    'stopped',
    'watching',
  ]);
});
