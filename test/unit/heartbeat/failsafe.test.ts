import { whyNoConsent } from '@understudy/heartbeat/role/failsafe';
import type { ConsentRefusal } from '@understudy/heartbeat/role/state';
import { failsafeSince } from '@understudy/heartbeat/role/view';
import test from 'ava';
import { free, heldByB, type Machine, ours, serving, warm } from './machine.ts';

// T 1000, P 300, R 100, M 100: a node that serves since 10 trusts itself until 910.

const failed = (sentAt: number) =>
  ({ kind: 'renew-failed', term: 5n, sentAt, error: 'no answer' }) as const;
const given = (sentAt: number, peer = 'http://b') =>
  ({ kind: 'consent-given', peer, term: 5n, sentAt, forMs: 1_000 }) as const;
const refused = (sentAt: number, why: ConsentRefusal, highestTerm = 5n) =>
  ({ kind: 'consent-refused', peer: 'http://b', term: 5n, sentAt, why, highestTerm }) as const;

/** Renewals fail from 310 on, and the peer was asked at 660. */
function doubting(options: Parameters<typeof serving>[0] = {}): Machine {
  return serving(options)
    .feed(310, { kind: 'tick' })
    .feed(410, failed(310))
    .feed(450, { kind: 'tick' })
    .feed(550, failed(450))
    .feed(590, { kind: 'tick' })
    .feed(660, { kind: 'tick' });
}

test('H10: peers are asked late enough for a second try, and well before trust runs out', (t) => {
  const machine = serving().feed(310, { kind: 'tick' }).feed(410, failed(310));
  t.deepEqual(machine.asked, []);
  machine.feed(450, { kind: 'tick' });
  t.deepEqual(machine.asked, ['renew']);
  const asked = doubting();
  t.deepEqual(asked.effects, [
    { kind: 'ask-consent', held: { term: 5n, incarnation: 'own' }, forMs: 1_000 },
  ]);
});

test('X6: with the consent of every peer trust is counted from when it was asked, less the margin', (t) => {
  const machine = doubting().feed(700, given(660));
  t.deepEqual(machine.effects, [
    { kind: 'extend-tenure', term: 5n, trustedUntil: 660 + 1_000 - 100, failsafe: true },
  ]);
  t.is(failsafeSince(machine.state), 700);
  t.true(machine.told.includes('failsafe-begun'));
  machine.feed(1_500, { kind: 'tick' });
  t.is(machine.state.phase.name, 'serving', 'past the time of the lease, on its peers’ word');
});

test('X6: one peer of two that is silent or refuses is enough for trust to run out', (t) => {
  const peers = ['http://b', 'http://c'];
  const silent = doubting({ peers }).feed(700, given(660));
  t.is(failsafeSince(silent.state), null);
  t.is(silent.feed(910, { kind: 'tick' }).state.phase.name, 'fencing');
  const both = doubting({ peers }).feed(700, given(660), given(660, 'http://c'));
  t.is(both.feed(910, { kind: 'tick' }).state.phase.name, 'serving');
});

test('A node without peers needs nobody’s consent', (t) => {
  const machine = doubting({ peers: [] });
  t.deepEqual(machine.asked, ['extend-tenure']);
});

test('Consent that was asked before a sleep, or comes when trust is over, counts for nothing', (t) => {
  const slept = doubting().feed(670, { kind: 'suspended' }).feed(700, given(660));
  t.is(failsafeSince(slept.state), null);
  const machine = doubting();
  // The event comes first, before the tick that would have fenced.
  machine.feed(911, given(660));
  t.is(machine.state.phase.name, 'fencing');
});

test('In failsafe the lease is tried to be revived, and its consent asked for anew each period', (t) => {
  const machine = doubting().feed(690, failed(590)).feed(700, given(660));
  machine.feed(730, { kind: 'tick' });
  t.like(machine.effects[0], { kind: 'renew', evenIfExpired: true });
  machine.feed(830, failed(730));
  machine.feed(1_001, { kind: 'tick' });
  t.true(machine.asked.includes('ask-consent'));
  const row = { ...ours, renewSeq: 9n };
  machine.feed(1_020, { kind: 'renew-granted', sentAt: 1_010, row });
  t.is(failsafeSince(machine.state), null);
  t.like(machine.effects[0], { trustedUntil: 1_010 + 900, failsafe: false });
  t.true(machine.told.includes('failsafe-ended'));
});

test('F46: a peer that reaches the store takes over once this node failed again', (t) => {
  const machine = doubting().feed(690, refused(660, 'store-fine'));
  t.is(machine.state.phase.name, 'serving', 'it may only have lost a connection');
  machine.feed(700, failed(590)).feed(790, { kind: 'tick' }).feed(890, failed(790));
  t.is(machine.state.phase.name, 'fencing');
  const demoting = machine.stories.find(({ kind }) => kind === 'demoting');
  t.like(demoting, { why: { reason: 'store-reachable-by-peer' } });
});

test('A peer that knows a higher term ends the tenure at once', (t) => {
  const machine = doubting().feed(690, refused(660, 'higher-term', 6n));
  t.is(machine.state.phase.name, 'fencing');
  t.is(machine.state.highestTerm, 6n);
});

test('A passive consents while it is watching, and not when it claims or knows better', (t) => {
  const machine = warm().feed(10, { kind: 'lease-read', row: heldByB });
  t.is(whyNoConsent(machine.state, 4n, 30), null);
  t.is(whyNoConsent(machine.state, 3n, 30), 'higher-term');
  const claiming = warm().feed(10, { kind: 'lease-read', row: free });
  t.is(whyNoConsent(claiming.state, 4n, 30), 'claiming');
  t.is(whyNoConsent(serving().state, 5n, 30), 'not-passive');
  machine.feed(20, { kind: 'hand-over-expected', term: 3n, until: 500 });
  t.is(whyNoConsent(machine.state, 4n, 30), 'not-passive');
  t.is(whyNoConsent(machine.state, 4n, 500), null, 'an announcement is over at its time');
  machine.feed(40, { kind: 'hand-over-expected', term: 4n, until: 500 });
  t.is(whyNoConsent(machine.state, 4n, 50), null, 'and when its giver asks for consent instead');
  t.is(machine.feed(60, { kind: 'consented', term: 4n, until: 900 }).state.expected, null);
});

test('A promise forbids a claim by silence until it is over', (t) => {
  const machine = warm()
    .feed(10, { kind: 'lease-read', row: heldByB })
    .feed(900, { kind: 'consented', term: 4n, until: 1_900 });
  const expired = { ...heldByB, storeSaysExpired: true, remainingMs: -50 };
  machine.feed(1_500, { kind: 'lease-read', row: expired });
  t.is(machine.state.phase.name, 'watching');
  machine.feed(1_899, { kind: 'tick' });
  t.is(machine.state.phase.name, 'watching');
  machine.feed(1_900, { kind: 'tick' });
  t.is(machine.state.phase.name, 'claiming');
});

test('The holder’s own release or word sets a promise free, one of an older term does not', (t) => {
  const promised = () =>
    warm()
      .feed(10, { kind: 'lease-read', row: heldByB })
      .feed(20, { kind: 'consented', term: 4n, until: 5_000 });
  t.is(promised().feed(30, { kind: 'lease-read', row: free }).state.phase.name, 'claiming');
  const testimony = { kind: 'testimony', node: 'b', term: 4n } as const;
  t.is(promised().feed(30, testimony).state.phase.name, 'claiming');
  const older = warm()
    .feed(10, { kind: 'consented', term: 6n, until: 5_000 })
    .feed(30, { kind: 'lease-read', row: free });
  t.is(older.state.phase.name, 'watching');
});

test('F44: while its readings fail, a passive claims nothing by silence, so that it may consent', (t) => {
  const machine = warm().feed(10, { kind: 'lease-read', row: heldByB });
  machine.feed(900, { kind: 'tick' }).feed(1_000, { kind: 'read-failed', error: 'no answer' });
  t.false(machine.feed(1_500, { kind: 'tick' }).asked.includes('claim'));
  t.is(whyNoConsent(machine.state, heldByB.term, 30), null);
  t.true(machine.feed(1_600, { kind: 'lease-read', row: heldByB }).asked.includes('claim'));
});

test('X6: with a node that is not among the configured peers nobody can consent for all', (t) => {
  const machine = doubting().feed(690, { kind: 'peers-heard', count: 2 }).feed(700, given(660));
  t.is(failsafeSince(machine.state), null);
  t.is(machine.feed(910, { kind: 'tick' }).state.phase.name, 'fencing');
});

test('X6: one peer’s consent does not silence another that reaches the store', (t) => {
  const machine = doubting({ peers: ['http://b', 'http://c'] })
    .feed(690, refused(660, 'store-fine'), given(660, 'http://c'))
    .feed(700, failed(590))
    .feed(790, { kind: 'tick' })
    .feed(890, failed(790));
  t.is(machine.state.phase.name, 'fencing');
});
