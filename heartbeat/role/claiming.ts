import { type Judgement, judge } from '../suspicion/watch.ts';
import type { RoleOptions, RoleState, Step } from './state.ts';
import { only } from './steps.ts';
import { canActivate } from './view.ts';

export type ClaimJudgement = Extract<Judgement, { kind: 'claim' }>;

/** While a pair holds still it is asked again this rarely. */
export const HOLD_STILL_RETRY_MS = 5_000;

/** What the evidence allows; by an operator's force, what it does not allow as well. */
export function judgeLease(state: RoleState, now: number, options: RoleOptions): Judgement {
  const judgement = judge(state.watch, state.testifiedTerm, now, options);
  const { row, changedAt } = state.watch;
  if (judgement.kind === 'claim' || now >= state.forcedUntil || row === null) return judgement;
  const sinceMs = Math.round(now - changedAt);
  const evidence =
    `an operator takes the role by force: ${row.holder?.node ?? 'nobody'} holds term ${row.term}, ` +
    `and was last seen to renew it ${sinceMs} ms ago`;
  return { kind: 'claim', basis: 'forced', evidence };
}

/**
 * The earliest instant at which this node may claim on that evidence, as far as it knows now; infinite when
 * something else has to happen first. Evidence says that the role is free, this says whether we may take it.
 */
export function claimAt(
  state: RoleState,
  judgement: ClaimJudgement,
  now: number,
  options: RoleOptions,
): number {
  const { row } = state.watch;
  if (row === null || state.givingBack !== null || state.disagreement !== null) {
    return Number.POSITIVE_INFINITY;
  }
  if (!canActivate(state, options)) return Number.POSITIVE_INFINITY;
  // While readings fail, silence says nothing of the holder, and a claim that hangs would keep us from
  // consenting to its failsafe.
  const isBlind = judgement.basis === 'silence' && state.storeAwaySince !== null;
  if (isBlind) return Number.POSITIVE_INFINITY;
  // A holder that lives renews all the time: only what was read in this moment may still be true.
  const isStale = judgement.basis === 'forced' && state.watch.readAt !== now;
  if (isStale) return Number.POSITIVE_INFINITY;
  const isOrdered = now < state.orderedUntil;
  if (options.mode === 'manual' && !isOrdered) return Number.POSITIVE_INFINITY;
  // What we gave and was given back is ours to take (PROTOCOL.md, "Switch-over", 7).
  const wasOurs = row.released && row.term === state.gaveTerm;
  const isOurs = row.holder === null || row.holder.node === options.self.node || wasOurs;
  const pausedUntil = isOurs || isOrdered ? 0 : state.pausedUntil;
  return Math.max(
    state.claimNotBefore,
    pausedUntil,
    promisedUntil(state, judgement, options.self.node),
  );
}

/**
 * Until when our word to a holder in failsafe forbids this claim. The holder's own word, or its release on
 * this timeline, sets us free (DESIGN.md: the holder alone lets go).
 */
function promisedUntil(state: RoleState, { basis }: ClaimJudgement, node: string): number {
  const { promise, watch, testifiedTerm } = state;
  if (promise === null || watch.row === null) return 0;
  const { term, holder } = watch.row;
  const isTheirs = term === promise.term || holder?.node !== node;
  if (basis === 'released' && term >= promise.term && isTheirs) return 0;
  if (basis === 'testified' && testifiedTerm >= promise.term) return 0;
  return promise.until;
}

/** Sends the claim. */
export function claim(
  state: RoleState,
  judgement: ClaimJudgement,
  now: number,
  options: RoleOptions,
): Step {
  const { row } = state.watch;
  if (row === null || now < claimAt(state, judgement, now, options)) return only(state);
  const { basis, evidence } = judgement;
  const claiming = {
    name: 'claiming',
    sentAt: now,
    answerLost: false,
    above: state.highestTerm,
  } as const;
  return only({ ...state, phase: claiming }, [
    { kind: 'tell', story: { kind: 'claiming', basis, evidence } },
    {
      kind: 'claim',
      claim: {
        holder: options.self,
        basis,
        observed: { term: row.term, renewSeq: row.renewSeq, timeline: row.timeline },
        highestTerm: state.highestTerm,
        ttlMs: options.ttlMs,
        ordered: now < state.orderedUntil,
        limit: options.limit,
        evidence,
        evenIfNotExpired: basis === 'silence' && judgement.evenIfNotExpired,
      },
    },
  ]);
}
