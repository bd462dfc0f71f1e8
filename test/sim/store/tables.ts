/**
 * Lease and fence as `shared/migrations/0001_lease_and_fence.sql` keeps them: each function here is one of
 * its functions, with the same conditions in the same order. `clockMs` is the store's clock.
 */
import type { Claim, Held, Holder, LeaseRow } from '@understudy/heartbeat/lease/port';
import { maxTerm, type Term, TIMELINE_SHIFT } from '@understudy/shared/kernel/term';

export interface Lease {
  readonly term: Term;
  readonly holder: Holder | null;
  readonly renewSeq: bigint;
  readonly expiresAt: number;
  readonly released: boolean;
  readonly ttlMs: number;
  readonly timeline: number;
  /** How often its holder revived it in this term. */
  readonly revivals: number;
  /** Its grant was forced by an operator: the holder before may serve until its own trust runs out. */
  readonly isForced: boolean;
}

/** What is committed; a value, so that a replica may have an old one. */
export interface Tables {
  readonly lease: Lease;
  readonly fenceTerm: Term;
  /** The highest term in the history of tenures. */
  readonly historyTerm: Term;
  /** No automatic change of roles before the store's clock shows this. */
  readonly pausedUntil: number;
  /** Who has which node id: by node, the incarnation. */
  readonly nodes: ReadonlyMap<string, string>;
}

/** The rules that mutants leave out; all are true in the product. */
export interface StoreRules {
  readonly comparesOnClaim: boolean;
  /** A hand-over counts only for the renewal that was the last when it was sent. */
  readonly comparesOnHandOver: boolean;
  readonly timelineIsInTerm: boolean;
  readonly releaseIsOfItsTimeline: boolean;
  readonly lateRenewalIsRefused: boolean;
  /** A holder's word counts only on the timeline on which it was last granted or renewed. */
  readonly wordIsOfItsTimeline: boolean;
}

export const storeRules: StoreRules = {
  comparesOnClaim: true,
  comparesOnHandOver: true,
  timelineIsInTerm: true,
  releaseIsOfItsTimeline: true,
  lateRenewalIsRefused: true,
  wordIsOfItsTimeline: true,
};

export interface Moment {
  readonly clockMs: number;
  readonly timeline: number;
  readonly rules: StoreRules;
}

export type Outcome = 'read' | 'granted' | 'refused' | 'released' | 'holds-still';

export interface LeaseAnswer {
  readonly outcome: Outcome;
  readonly why: string;
  readonly row: LeaseRow;
}

export interface Change {
  readonly tables: Tables;
  readonly answer: LeaseAnswer;
}

/** A pair as `understudy create` makes it. */
export function preparedTables(): Tables {
  return {
    lease: {
      term: 0n,
      holder: null,
      renewSeq: 0n,
      expiresAt: 0,
      released: true,
      ttlMs: 1,
      timeline: 1,
      revivals: 0,
      isForced: false,
    },
    fenceTerm: 0n,
    historyTerm: 0n,
    pausedUntil: 0,
    nodes: new Map(),
  };
}

export function readLease(tables: Tables, moment: Moment): LeaseAnswer {
  return answer(tables, 'read', '', moment);
}

export function claimLease(tables: Tables, claim: Claim, moment: Moment): Change {
  if (holdsStill(tables, claim, moment)) {
    return { tables, answer: answer(tables, 'holds-still', 'the pair is paused', moment) };
  }
  const refusal = whyClaimIsRefused(tables.lease, claim, moment);
  if (refusal !== null) return refused(tables, refusal, moment);
  const { holder: to, highestTerm, ttlMs, basis } = claim;
  const isForced = basis === 'forced';
  return granted(grant(tables, { to, highestTerm, ttlMs, isForced }, moment), moment);
}

/** As `why_still` in `0003_pause_hand_over_revive.sql`, but for the limit. */
function holdsStill({ lease, pausedUntil }: Tables, claim: Claim, { clockMs }: Moment): boolean {
  const isLastHolder = lease.holder === null || lease.holder.node === claim.holder.node;
  return !claim.ordered && !isLastHolder && pausedUntil > clockMs;
}

function whyClaimIsRefused(held: Lease, claim: Claim, moment: Moment): string | null {
  const { clockMs, timeline, rules } = moment;
  const { observed, basis, evenIfNotExpired } = claim;
  const isSame = held.term === observed.term && held.renewSeq === observed.renewSeq;
  if (rules.comparesOnClaim && !isSame) return 'the lease has changed since it was observed';
  if (rules.releaseIsOfItsTimeline && timeline !== observed.timeline) {
    return 'the store has failed over since the lease was observed';
  }
  if (basis === 'released' && !held.released) return 'the lease is not released';
  if (basis === 'released' && rules.releaseIsOfItsTimeline && held.timeline !== timeline) {
    return 'the lease was released on another timeline of the store';
  }
  if (basis === 'testified' && rules.wordIsOfItsTimeline && held.timeline !== timeline) {
    return 'the lease was held on another timeline of the store';
  }
  if (basis === 'silence' && held.expiresAt >= clockMs && evenIfNotExpired !== true) {
    return 'the lease has not expired in the store';
  }
  return null;
}

interface Grant {
  readonly to: Holder;
  readonly highestTerm: Term;
  readonly ttlMs: number;
  readonly isForced: boolean;
}

function grant(tables: Tables, wanted: Grant, moment: Moment): Tables {
  const { to, highestTerm, ttlMs, isForced } = wanted;
  const { lease, fenceTerm, historyTerm } = tables;
  const { timeline, clockMs, rules } = moment;
  const base = rules.timelineIsInTerm ? BigInt(timeline - 1) << TIMELINE_SHIFT : 0n;
  const known = maxTerm(maxTerm(lease.term, fenceTerm), maxTerm(highestTerm, historyTerm));
  const term = maxTerm(known, base) + 1n;
  return {
    ...tables,
    lease: {
      ...{
        term,
        holder: to,
        renewSeq: 0n,
        released: false,
        ttlMs,
        timeline,
        revivals: 0,
        isForced,
      },
      expiresAt: clockMs + ttlMs,
    },
    fenceTerm: term,
    historyTerm: term,
  };
}

export function renewLease(
  tables: Tables,
  held: Held,
  moment: Moment,
  evenIfExpired = false,
): Change {
  const { lease } = tables;
  const isExpired = lease.expiresAt <= moment.clockMs && !evenIfExpired;
  const isLate = isExpired && moment.rules.lateRenewalIsRefused;
  if (!isHeldBy(lease, held) || lease.released || isLate) return refused(tables, '', moment);
  const renewed = {
    ...lease,
    renewSeq: lease.renewSeq + 1n,
    expiresAt: moment.clockMs + lease.ttlMs,
    timeline: moment.timeline,
    revivals: lease.revivals + Number(evenIfExpired && lease.expiresAt <= moment.clockMs),
  };
  return granted({ ...tables, lease: renewed }, moment);
}

/** As `lease_hand_over` in `0003_pause_hand_over_revive.sql`. */
export function handOverLease(
  tables: Tables,
  { held, renewSeq, to }: { held: Held; renewSeq: bigint; to: Holder },
  moment: Moment,
): Change {
  const { lease } = tables;
  const isOver = lease.released || lease.expiresAt <= moment.clockMs;
  const isSame = lease.renewSeq === renewSeq || !moment.rules.comparesOnHandOver;
  if (!isHeldBy(lease, held) || !isSame || isOver) {
    return refused(tables, '', moment);
  }
  const { ttlMs } = lease;
  const wanted = { to, highestTerm: 0n, ttlMs, isForced: false };
  return granted(grant(tables, wanted, moment), moment);
}

export function releaseLease(tables: Tables, held: Held, moment: Moment): Change {
  const { lease } = tables;
  if (!isHeldBy(lease, held)) return refused(tables, '', moment);
  const { timeline, rules } = moment;
  if (rules.wordIsOfItsTimeline && lease.timeline !== timeline) return refused(tables, '', moment);
  const released = { ...lease, released: true, renewSeq: lease.renewSeq + 1n, timeline };
  const changed = { ...tables, lease: released };
  return { tables: changed, answer: answer(changed, 'released', '', moment) };
}

export function takeNode(tables: Tables, node: string, incarnation: string): Tables {
  return { ...tables, nodes: new Map(tables.nodes).set(node, incarnation) };
}

function isHeldBy(lease: Lease, held: Held): boolean {
  return lease.term === held.term && lease.holder?.incarnation === held.incarnation;
}

function granted(tables: Tables, moment: Moment): Change {
  return { tables, answer: answer(tables, 'granted', '', moment) };
}

function refused(tables: Tables, why: string, moment: Moment): Change {
  return { tables, answer: answer(tables, 'refused', why, moment) };
}

function answer(tables: Tables, outcome: Outcome, why: string, moment: Moment): LeaseAnswer {
  const { lease, pausedUntil } = tables;
  const { timeline, clockMs, rules } = moment;
  const isOwnRelease = lease.timeline === timeline || !rules.releaseIsOfItsTimeline;
  return {
    outcome,
    why,
    row: {
      term: lease.term,
      holder: lease.holder,
      renewSeq: lease.renewSeq,
      released: lease.released && isOwnRelease,
      storeSaysExpired: lease.expiresAt < clockMs,
      ttlMs: lease.ttlMs,
      timeline,
      remainingMs: lease.expiresAt - clockMs,
      pausedForMs: pausedUntil > clockMs ? pausedUntil - clockMs : null,
    },
  };
}
