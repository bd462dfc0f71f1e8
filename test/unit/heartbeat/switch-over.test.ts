import { isServing, mayTestify, roleOf } from '@understudy/heartbeat/role/view';
import test from 'ava';
import { free, heldByB, Machine, ours, serving, warm } from './machine.ts';

const successor = { holder: { node: 'b', incarnation: 'other' }, controllerUrl: 'http://b:1' };
const asked = { kind: 'switch-over-asked', successor } as const;
const theirs = { ...heldByB, term: 6n };
const handedOver = { kind: 'handed-over', term: 5n, row: theirs } as const;
const held = { kind: 'controller-held' } as const;

test('F83: the controller rests first, then the lease goes, then what still comes is passed on', (t) => {
  const machine = serving().feed(100, asked);
  t.deepEqual(machine.effects, [{ kind: 'hold-controller', forMs: 200 }]);
  t.true(isServing(machine.state, 100), 'users are served, a little later');
  machine.feed(120, held);
  t.deepEqual(machine.effects, [
    {
      kind: 'hand-over',
      held: { term: 5n, incarnation: 'own' },
      renewSeq: 0n,
      to: successor.holder,
    },
  ]);
  machine.feed(130, handedOver);
  t.deepEqual(machine.effects, [{ kind: 'forward-controller', to: 'http://b:1', forMs: 900 }]);
  t.is(roleOf(machine.state), 'passive');
  t.true(mayTestify(machine.state, { term: 5n, incarnation: 'own' }, machine.options));
});

test('The old controller is ended after a while, and a fresh one is started', (t) => {
  const machine = serving().feed(100, asked).feed(120, held).feed(130, handedOver);
  machine.feed(150, { kind: 'lease-read', row: theirs });
  machine.feed(630, { kind: 'tick' });
  t.true(machine.asked.includes('drain-controller'));
  machine.feed(640, { kind: 'tick' });
  t.false(machine.asked.includes('drain-controller'));
  machine.feed(700, { kind: 'controller-gone', detail: 'exit code 0' });
  t.true(machine.asked.includes('start-controller'));
});

test('A hand-over waits for the renewal under way, whose row it is compared with', (t) => {
  const machine = serving().feed(310, { kind: 'tick' }).feed(320, asked).feed(330, held);
  t.deepEqual(machine.asked, []);
  machine.feed(340, { kind: 'renew-granted', sentAt: 310, row: { ...ours, renewSeq: 7n } });
  t.like(machine.effects.at(-1), { kind: 'hand-over', renewSeq: 7n });
  machine.feed(640, { kind: 'tick' });
  t.deepEqual(machine.asked, [], 'and no renewal disturbs it');
});

test('A controller that cannot rest in time goes on, and nothing has happened', (t) => {
  for (const machine of [
    serving().feed(100, asked).feed(150, { kind: 'controller-hold-failed', reason: 'busy' }),
    serving().feed(100, asked).feed(400, { kind: 'tick' }),
  ]) {
    t.true(machine.asked.includes('resume-controller'));
    t.is(machine.state.phase.name, 'serving');
    t.is(machine.told.at(-1), 'switch-over-called-off');
  }
});

test('An answer that was lost is settled by a renewal: granted, it did not happen', (t) => {
  const lost = { kind: 'hand-over-failed', term: 5n, error: 'no answer' } as const;
  const machine = serving().feed(100, asked).feed(120, held).feed(220, lost);
  t.deepEqual(machine.asked, ['renew']);
  machine.feed(230, { kind: 'renew-granted', sentAt: 220, row: { ...ours, renewSeq: 1n } });
  t.deepEqual(machine.asked, ['extend-tenure', 'resume-controller']);
  t.is(machine.state.phase.name, 'serving');
  const gone = serving().feed(100, asked).feed(120, held).feed(220, lost);
  gone.feed(230, { kind: 'renew-refused', term: 5n, row: theirs });
  t.deepEqual(gone.asked, ['forward-controller'], 'refused, it happened');
  const taken = serving().feed(100, asked).feed(120, held).feed(220, lost);
  const third = { ...theirs, holder: { node: 'c', incarnation: 'third' } };
  taken.feed(230, { kind: 'renew-refused', term: 5n, row: third });
  t.is(taken.state.phase.name, 'fencing', 'or somebody else has it');
});

test('Nothing is handed over while the node stops, or the store is in doubt', (t) => {
  const failing = serving()
    .feed(310, { kind: 'tick' })
    .feed(410, { kind: 'renew-failed', term: 5n, sentAt: 310, error: 'no answer' })
    .feed(420, asked);
  t.is(failing.told.at(-1), 'switch-over-called-off');
  t.is(warm().feed(10, asked).told.at(-1), 'switch-over-called-off');
});

test('F85: trust that runs out in the middle ends the controller', (t) => {
  const machine = serving().feed(100, asked).feed(120, held).feed(910, { kind: 'tick' });
  t.is(machine.state.phase.name, 'fencing');
});

test('The successor renews before it trusts, then serves', (t) => {
  const mine = { ...theirs, term: 5n, holder: { node: 'a', incarnation: 'own' } };
  const machine = warm()
    .feed(10, { kind: 'lease-read', row: heldByB })
    .feed(20, { kind: 'hand-over-expected', term: 4n, until: 9_000 })
    .feed(30, { kind: 'hint' })
    .feed(40, { kind: 'lease-read', row: mine });
  t.deepEqual(machine.asked, ['renew']);
  machine.feed(50, { kind: 'renew-granted', sentAt: 40, row: { ...mine, renewSeq: 1n } });
  t.deepEqual(machine.effects, [{ kind: 'activate-controller', term: 5n, trustedUntil: 40 + 900 }]);
});

test('F85: a successor that does not serve in time gives the lease back', (t) => {
  const mine = { ...theirs, term: 5n, holder: { node: 'a', incarnation: 'own' } };
  const machine = warm()
    .feed(10, { kind: 'lease-read', row: heldByB })
    .feed(20, { kind: 'hand-over-expected', term: 4n, until: 9_000 })
    .feed(40, { kind: 'lease-read', row: mine })
    .feed(50, { kind: 'renew-granted', sentAt: 40, row: mine })
    .feed(340, { kind: 'tick' });
  t.deepEqual(machine.asked, ['kill-controller']);
  machine.feed(350, { kind: 'controller-gone', detail: 'SIGKILL' });
  t.true(machine.asked.includes('release'));
});

test('A lease that nobody announced, or that comes too late, goes back', (t) => {
  const mine = { ...theirs, term: 5n, holder: { node: 'a', incarnation: 'own' } };
  const machine = warm().feed(10, { kind: 'lease-read', row: mine });
  t.deepEqual(machine.asked, ['release']);
  const late = warm()
    .feed(10, { kind: 'lease-read', row: heldByB })
    .feed(20, { kind: 'hand-over-expected', term: 4n, until: 30 })
    .feed(40, { kind: 'lease-read', row: mine });
  t.deepEqual(late.asked, ['release']);
});

test('A wrapped program ends for a switch-over, and the lease goes once it is gone', (t) => {
  const machine = serving({ canHold: false }).feed(100, asked);
  t.deepEqual(machine.effects, [{ kind: 'drain-controller', graceMs: 400 }]);
  machine.feed(200, { kind: 'controller-gone', detail: 'exit code 0' });
  t.deepEqual(machine.asked, ['hand-over']);
  machine.feed(210, handedOver);
  t.is(machine.state.phase.name, 'watching');
});

test('S2: in manual mode nobody claims without an order', (t) => {
  const machine = warm({ mode: 'manual' }).feed(10, { kind: 'lease-read', row: free });
  t.is(machine.state.phase.name, 'watching');
  machine.feed(20, { kind: 'promote-ordered', until: 1_000, isForced: false });
  t.is(machine.state.phase.name, 'claiming');
  t.like(machine.effects.at(-1), { kind: 'claim', claim: { ordered: true } });
});

const force = { kind: 'promote-ordered', until: 2_000, isForced: true } as const;
const renewed = (renewSeq: bigint) =>
  ({ kind: 'lease-read', row: { ...heldByB, renewSeq } }) as const;

test('F87: by force a node claims what a living holder has, on what it read just now, and once', (t) => {
  const machine = warm({ mode: 'manual' }).feed(10, renewed(0n)).feed(20, force);
  t.deepEqual(machine.asked, ['read-lease'], 'what it knew may be out of date');
  t.is(machine.state.phase.name, 'watching');
  machine.feed(25, renewed(1n));
  const observed = { term: 4n, renewSeq: 1n, timeline: 1 };
  const claim = { basis: 'forced', observed, ordered: true, evenIfNotExpired: false } as const;
  t.like(machine.effects.at(-1), { kind: 'claim', claim });
  // The holder was quicker: the next reading decides.
  const row = { ...heldByB, renewSeq: 2n };
  machine.feed(30, { kind: 'claim-refused', row, why: 'changed', holdsStill: false });
  t.is(machine.state.phase.name, 'watching');
  machine.feed(400, { kind: 'tick' });
  t.is(machine.state.phase.name, 'watching');
  machine.feed(410, renewed(3n));
  t.like(machine.effects.at(-1), { kind: 'claim', claim: { observed: { renewSeq: 3n } } });
  machine.feed(420, { kind: 'claim-granted', sentAt: 410, row: ours });
  t.is(machine.state.phase.name, 'promoting');
  t.is(machine.state.forcedUntil, 0, 'it does not take the role a second time');
});

test('F87: an order by force ends by itself, and a word given to a holder in failsafe stands above it', (t) => {
  const late = warm()
    .feed(10, renewed(0n))
    .feed(20, { ...force, until: 100 });
  t.is(late.feed(110, renewed(1n)).state.phase.name, 'watching');
  const bound = warm().feed(10, renewed(0n)).feed(15, { kind: 'consented', term: 4n, until: 300 });
  bound.feed(20, force).feed(25, renewed(1n));
  t.is(bound.state.phase.name, 'watching');
  t.is(bound.feed(310, renewed(2n)).state.phase.name, 'claiming');
  const strayed = warm()
    .feed(10, renewed(0n))
    .feed(15, { kind: 'disagreement', reason: 'another' });
  t.is(strayed.feed(20, force).feed(25, renewed(1n)).state.phase.name, 'watching');
});

test('X14: in a pause only the last holder takes the role back', (t) => {
  const paused = { ...free, pausedForMs: 5_000 };
  const machine = warm().feed(10, { kind: 'lease-read', row: paused });
  t.is(machine.state.phase.name, 'watching');
  t.true(machine.told.includes('paused'));
  machine.feed(5_010, { kind: 'tick' });
  t.is(machine.state.phase.name, 'claiming', 'it ends by itself');
  const last = { ...paused, holder: { node: 'a', incarnation: 'before' } };
  const again = warm().feed(10, { kind: 'lease-read', row: last });
  t.is(again.state.phase.name, 'claiming');
});

test('H7: a preferred node asks for the role once it was ready for long enough, and not again at once', (t) => {
  const machine = warm({ failbackMs: 2_000 }).feed(10, { kind: 'lease-read', row: heldByB });
  let seq = 0n;
  const renewed = (now: number) => {
    seq += 1n;
    return machine.feed(now, { kind: 'lease-read', row: { ...heldByB, renewSeq: seq } });
  };
  for (let now = 300; now < 2_000; now += 300) {
    t.false(renewed(now).asked.includes('ask-switch-over'));
  }
  t.true(renewed(2_100).asked.includes('ask-switch-over'));
  for (let now = 2_400; now < 7_000; now += 300) {
    t.false(renewed(now).asked.includes('ask-switch-over'));
  }
  t.true(renewed(7_200).asked.includes('ask-switch-over'));
});

test('F53: a node that disagrees with its peer about the database takes no role', (t) => {
  const machine = new Machine()
    .feed(0, { kind: 'tick' }, { kind: 'controller-starting' }, { kind: 'controller-ready' })
    .feed(5, { kind: 'disagreement', reason: 'b uses another database' })
    .feed(10, { kind: 'lease-read', row: free });
  t.is(machine.state.phase.name, 'watching');
  machine.feed(20, { kind: 'disagreement', reason: null });
  t.is(machine.state.phase.name, 'claiming');
});

test('F65: a tenure of our own that a fail-over brought back does not pass for a hand-over', (t) => {
  const machine = warm()
    .feed(5, { kind: 'hand-over-expected', term: 4n, until: 15_000 })
    .feed(10, { kind: 'lease-read', row: free })
    .feed(20, { kind: 'claim-granted', sentAt: 10, row: ours })
    .feed(30, { kind: 'controller-gone', detail: 'it crashed' })
    .feed(40, { kind: 'given-back', term: 5n, row: { ...ours, released: true } })
    .feed(50, { kind: 'controller-starting' }, { kind: 'controller-ready' });
  machine.feed(60, { kind: 'lease-read', row: { ...ours, timeline: 2 } });
  t.not(machine.state.phase.name, 'promoting');
});
