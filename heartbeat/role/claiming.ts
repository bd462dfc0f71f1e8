import type { Judgement } from '../suspicion/watch.ts';
import type { RoleOptions, RoleState, Step } from './state.ts';
import { only } from './steps.ts';
import { canActivate } from './view.ts';

export type ClaimJudgement = Extract<Judgement, { kind: 'claim' }>;

/** While a pair holds still it is asked again this rarely. */
export const HOLD_STILL_RETRY_MS = 5_000;

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
