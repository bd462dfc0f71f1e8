import type { RoleEvent, RoleOptions, RoleState } from '../role/state.ts';
import { tenureOf } from '../role/view.ts';
import { judge } from '../suspicion/watch.ts';
import { draft, type EventDraft } from './draft.ts';
import { rules } from './rules.ts';

/** What was looked at, in the order in which the heartbeat learned it. Instants are monotonic milliseconds. */
export type Seen =
  | { readonly kind: 'step'; readonly event: RoleEvent; readonly state: RoleState }
  | {
      readonly kind: 'check';
      readonly problem: string | null;
      readonly failures: number;
      readonly needed: number;
    }
  | { readonly kind: 'peers'; readonly peers: readonly SeenPeer[]; readonly state: RoleState };

export interface SeenPeer {
  readonly url: string;
  readonly node: string | null;
  /** Null: it answers. */
  readonly error: string | null;
}

interface Doubt {
  readonly since: number;
  /** Whether its beginning was told: one that comes again and again is told now and then only. */
  readonly told: boolean;
}

/** The doubts that are open, and when each was last told. */
export interface Doubts {
  readonly open: ReadonlyMap<string, Doubt>;
  readonly toldAt: ReadonlyMap<string, number>;
}

export const noDoubts: Doubts = { open: new Map(), toldAt: new Map() };

export interface DoubtsStep {
  readonly doubts: Doubts;
  readonly drafts: readonly EventDraft[];
}

/** The same doubt is told anew only so long after it was told last: a link that flaps is no flood. */
const TELL_AGAIN_AFTER_MS = 10_000;

/**
 * The decisions *not* to act: a doubt that is looked at and does not suffice. One event tells its
 * beginning and one its end. What is acted upon is told by the role machine; such a doubt closes silently.
 */
export function stepDoubts(
  doubts: Doubts,
  seen: Seen,
  now: number,
  options: RoleOptions,
): DoubtsStep {
  switch (seen.kind) {
    case 'step':
      return inOrder(doubts, [
        (each) => renewalsFail(each, seen.event, seen.state, now),
        (each) => renewalsLate(each, seen.state, now, options),
      ]);
    case 'check':
      return check(doubts, seen, now);
    case 'peers':
      return inOrder(
        doubts,
        seen.peers.map((peer) => (each) => peerSilent(each, peer, seen.state, now)),
      );
  }
}

function inOrder(doubts: Doubts, steps: readonly ((doubts: Doubts) => DoubtsStep)[]): DoubtsStep {
  return steps.reduce<DoubtsStep>(
    (before, step) => {
      const after = step(before.doubts);
      return { doubts: after.doubts, drafts: [...before.drafts, ...after.drafts] };
    },
    { doubts, drafts: [] },
  );
}

/** The holder's side: a renewal failed, and trust is left. */
function renewalsFail(doubts: Doubts, event: RoleEvent, state: RoleState, now: number): DoubtsStep {
  const key = 'renewals-fail';
  const tenure = tenureOf(state);
  if (tenure === null) return forget(doubts, key);
  const { term } = tenure;
  if (event.kind === 'renew-failed' && event.term === term) {
    const leftMs = Math.round(tenure.trustedUntil - now);
    return begin(doubts, key, now, () =>
      draft('renewal-doubted', `a renewal failed; goes on, trust is left for ${leftMs} ms`, {
        term,
        rule: rules.failedIsUnknown,
        evidence: event.error,
        facts: { trustLeftMs: leftMs },
      }),
    );
  }
  if (event.kind !== 'renew-granted') return unchanged(doubts);
  return end(doubts, key, now, (afterMs) =>
    draft('renewal-doubt-ended', `renewals succeed again, after ${afterMs} ms`, {
      term,
      facts: { afterMs },
    }),
  );
}

/** The watcher's side: renewals are missing, but not for long enough. */
function renewalsLate(
  doubts: Doubts,
  state: RoleState,
  now: number,
  options: RoleOptions,
): DoubtsStep {
  const key = 'renewals-late';
  const { row, changedAt } = state.watch;
  // A store that does not answer is a doubt of its own: then it is we who see nothing.
  const isWatching = state.phase.name === 'watching' && state.storeAwaySince === null;
  if (!isWatching || row === null || row.holder === null || row.released) {
    return forget(doubts, key);
  }
  const judgement = judge(state.watch, state.testifiedTerm, now, options);
  if (judgement.kind === 'claim') return forget(doubts, key);
  const { term, holder } = row;
  const silentMs = Math.round(now - changedAt);
  if (judgement.suspicious) {
    return begin(doubts, key, now, () =>
      draft(
        'lease-doubted',
        `renewals of ${holder.node} are late; waits, and asks its host for its word`,
        {
          term,
          rule: rules.lateIsNotOver,
          evidence: `no renewal of term ${term} for ${silentMs} ms, a lease lasts ${row.ttlMs} ms`,
          facts: { silentMs, holder: holder.node },
        },
      ),
    );
  }
  return end(doubts, key, now, (afterMs) =>
    draft(
      'lease-doubt-ended',
      `${holder.node} renews its lease again: there was no reason to act`,
      {
        term,
        facts: { afterMs, holder: holder.node },
      },
    ),
  );
}

function check(
  doubts: Doubts,
  { problem, failures, needed }: Extract<Seen, { kind: 'check' }>,
  now: number,
): DoubtsStep {
  const key = 'controller';
  if (problem !== null && failures >= needed) return forget(doubts, key);
  if (problem !== null && failures > 0) {
    return begin(doubts, key, now, () =>
      draft('controller-doubted', `a check of the controller failed, ${failures} of ${needed}`, {
        rule: rules.severalChecks,
        evidence: problem,
        facts: { failures, needed },
      }),
    );
  }
  return end(doubts, key, now, (afterMs) =>
    draft('controller-doubt-ended', `the controller is well, after ${afterMs} ms of doubt`, {
      facts: { afterMs },
    }),
  );
}

function peerSilent(doubts: Doubts, peer: SeenPeer, state: RoleState, now: number): DoubtsStep {
  const key = `peer ${peer.url}`;
  const { url, error } = peer;
  const name = peer.node ?? url;
  if (error === null) {
    return end(doubts, key, now, (afterMs) =>
      draft('peer-doubt-ended', `the peer ${name} answers again, after ${afterMs} ms`, {
        facts: { peer: url, afterMs },
      }),
    );
  }
  return begin(doubts, key, now, () => {
    const { row, changedAt } = state.watch;
    const isHolder = row?.holder?.node === peer.node && row?.released === false;
    const lease = isHolder
      ? `; its lease of term ${row.term} changed ${Math.round(now - changedAt)} ms ago`
      : '';
    return draft('peer-doubted', doubtOfPeer(name, state, isHolder), {
      term: tenureOf(state)?.term ?? (row?.holder ? row.term : null),
      rule: rules.noClaimOnHint,
      evidence: `${error}${lease}`,
      facts: { peer: url },
    });
  });
}

function doubtOfPeer(name: string, state: RoleState, isHolder: boolean): string {
  if (tenureOf(state) !== null) return `the peer ${name} does not answer: goes on alone`;
  return isHolder
    ? `the active peer ${name} does not answer: does nothing while its lease is renewed`
    : `the peer ${name} does not answer`;
}

function begin(doubts: Doubts, key: string, now: number, tell: () => EventDraft): DoubtsStep {
  if (doubts.open.has(key)) return unchanged(doubts);
  const toldAt = doubts.toldAt.get(key) ?? Number.NEGATIVE_INFINITY;
  const told = now - toldAt >= TELL_AGAIN_AFTER_MS;
  const open = new Map(doubts.open).set(key, { since: now, told });
  if (!told) return { doubts: { ...doubts, open }, drafts: [] };
  return { doubts: { open, toldAt: new Map(doubts.toldAt).set(key, now) }, drafts: [tell()] };
}

function end(
  doubts: Doubts,
  key: string,
  now: number,
  tell: (afterMs: number) => EventDraft,
): DoubtsStep {
  const doubt = doubts.open.get(key);
  if (doubt === undefined) return unchanged(doubts);
  const forgotten = forget(doubts, key);
  return doubt.told ? { ...forgotten, drafts: [tell(Math.round(now - doubt.since))] } : forgotten;
}

function forget(doubts: Doubts, key: string): DoubtsStep {
  if (!doubts.open.has(key)) return unchanged(doubts);
  const open = new Map(doubts.open);
  open.delete(key);
  return { doubts: { ...doubts, open }, drafts: [] };
}

function unchanged(doubts: Doubts): DoubtsStep {
  return { doubts, drafts: [] };
}
