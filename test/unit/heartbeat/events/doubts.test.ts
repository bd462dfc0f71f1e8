import { type Doubts, noDoubts, type Seen, stepDoubts } from '@understudy/heartbeat/events/doubts';
import type { EventDraft } from '@understudy/heartbeat/events/draft';
import type { LeaseRow } from '@understudy/heartbeat/lease/port';
import type { RoleEvent, RoleState } from '@understudy/heartbeat/role/state';
import { initialRole, stepRole } from '@understudy/heartbeat/role/step';
import { exploredOptions } from '@understudy/scripts/diagram/explore-role';
import test from 'ava';

const options = { ...exploredOptions, ttlMs: 1_000, renewEveryMs: 300 };

const heldByB: LeaseRow = {
  term: 4n,
  holder: { node: 'b', incarnation: 'other' },
  renewSeq: 0n,
  released: false,
  storeSaysExpired: false,
  ttlMs: 1_000,
  timeline: 1,
  remainingMs: 1_000,
  pausedForMs: null,
};

/** A heartbeat that sees and doubts. */
class Doubter {
  state: RoleState = initialRole(0);
  #doubts: Doubts = noDoubts;

  feed(now: number, event: RoleEvent): readonly EventDraft[] {
    this.state = stepRole(this.state, event, now, options).state;
    return this.see(now, { kind: 'step', event, state: this.state });
  }

  see(now: number, seen: Seen): readonly EventDraft[] {
    const step = stepDoubts(this.#doubts, seen, now, options);
    this.#doubts = step.doubts;
    return step.drafts;
  }

  check(now: number, problem: string | null, failures: number): readonly string[] {
    return kinds(this.see(now, { kind: 'check', problem, failures, needed: 3 }));
  }

  peer(now: number, error: string | null): readonly EventDraft[] {
    const peers = [{ url: 'http://b', node: 'b', error }];
    return this.see(now, { kind: 'peers', peers, state: this.state });
  }
}

function kinds(drafts: readonly EventDraft[]): string[] {
  return drafts.map((each) => each.kind);
}

function read(row: LeaseRow): RoleEvent {
  return { kind: 'lease-read', row };
}

/** Holds term 5 and serves. */
function serving(): Doubter {
  const doubter = new Doubter();
  for (const event of [
    { kind: 'tick' },
    { kind: 'controller-starting' },
    { kind: 'controller-ready' },
    read({ ...heldByB, released: true }),
    { kind: 'claim-granted', sentAt: 0, row: { ...heldByB, term: 5n, holder: options.self } },
    { kind: 'controller-serving', term: 5n },
  ] as const) {
    doubter.feed(0, event);
  }
  return doubter;
}

test('late renewals are a doubt that begins once, and ends when one is seen', (t) => {
  const doubter = new Doubter();
  t.deepEqual(doubter.feed(0, read(heldByB)), []);
  t.deepEqual(doubter.feed(500, read(heldByB)), []);
  const [begun, ...more] = doubter.feed(700, read(heldByB));
  t.is(begun?.kind, 'lease-doubted');
  t.is(begun?.term, 4n);
  t.regex(begun?.evidence ?? '', /no renewal of term 4 for 700 ms/);
  t.deepEqual(more, []);
  t.deepEqual(doubter.feed(800, read(heldByB)), []);
  t.deepEqual(kinds(doubter.feed(900, read({ ...heldByB, renewSeq: 1n }))), ['lease-doubt-ended']);
});

test('silence that is acted upon ends no doubt: the claim tells the rest', (t) => {
  const doubter = new Doubter();
  for (const now of [0, 700, 1_100, 1_500]) doubter.feed(now, read(heldByB));
  t.deepEqual(doubter.feed(1_600, read({ ...heldByB, renewSeq: 1n })), []);
});

test('while the store does not answer, nothing is said of the holder', (t) => {
  const doubter = new Doubter();
  doubter.feed(0, read(heldByB));
  doubter.feed(100, { kind: 'read-failed', error: 'away' });
  t.deepEqual(doubter.feed(700, { kind: 'read-failed', error: 'away' }), []);
});

test('a renewal that fails is a doubt, and the trust that is left is told', (t) => {
  const doubter = serving();
  doubter.feed(300, { kind: 'tick' });
  const failed = { kind: 'renew-failed', term: 5n, sentAt: 300, error: 'no answer' } as const;
  const [begun] = doubter.feed(400, failed);
  t.is(begun?.kind, 'renewal-doubted');
  t.is(begun?.facts['trustLeftMs'], 1_000 - options.marginMs - 400);
  t.deepEqual(doubter.feed(500, failed), []);
  const row = { ...heldByB, term: 5n, holder: options.self };
  t.deepEqual(kinds(doubter.feed(600, { kind: 'renew-granted', sentAt: 590, row })), [
    'renewal-doubt-ended',
  ]);
});

test('a bad check that is not one of several in a row is a doubt', (t) => {
  const doubter = new Doubter();
  t.deepEqual(doubter.check(0, null, 0), []);
  t.deepEqual(doubter.check(250, 'no answer', 1), ['controller-doubted']);
  t.deepEqual(doubter.check(650, 'no answer', 2), []);
  t.deepEqual(doubter.check(900, null, 0), ['controller-doubt-ended']);
});

test('a check that is acted upon ends no doubt', (t) => {
  const doubter = new Doubter();
  doubter.check(0, 'no answer', 1);
  t.deepEqual(doubter.check(500, 'no answer', 3), []);
  t.deepEqual(doubter.check(900, null, 0), []);
});

test('a peer that refuses connections while its lease is renewed is a doubt and no evidence', (t) => {
  const doubter = new Doubter();
  doubter.feed(0, read(heldByB));
  const [begun] = doubter.peer(100, 'connect ECONNREFUSED');
  t.is(begun?.kind, 'peer-doubted');
  t.regex(begun?.message ?? '', /does nothing while its lease is renewed/);
  t.regex(begun?.evidence ?? '', /ECONNREFUSED; its lease of term 4 changed 100 ms ago/);
  t.deepEqual(doubter.peer(200, 'another error'), []);
  t.deepEqual(kinds(doubter.peer(300, null)), ['peer-doubt-ended']);
});

test('a link that flaps is told once in ten seconds, and no end is told without its beginning', (t) => {
  const doubter = new Doubter();
  const told: string[] = [];
  for (let now = 0; now < 20_000; now += 100) {
    told.push(...kinds(doubter.peer(now, (now / 100) % 2 === 0 ? 'reset' : null)));
  }
  t.deepEqual(told, [
    ...['peer-doubted', 'peer-doubt-ended'],
    ...['peer-doubted', 'peer-doubt-ended'],
  ]);
});
