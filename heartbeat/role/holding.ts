import { observe, observeAnew } from '../suspicion/watch.ts';
import { isCutOff, noConsent } from './failsafe.ts';
import { fence } from './fence.ts';
import type { RoleEffect, RoleEvent, RoleOptions, RoleState, Step } from './state.ts';
import { andThen, isUsed, learnPause, learnTerm, only, withTenure } from './steps.ts';
import { goOn, settle } from './switch-over.ts';
import { tenureOf } from './view.ts';

type RenewalEvent = Extract<
  RoleEvent,
  { kind: 'renew-granted' | 'renew-refused' | 'renew-failed' }
>;

/** Takes in what became of a renewal. */
export function renewalAnswered(
  state: RoleState,
  event: RenewalEvent,
  now: number,
  options: RoleOptions,
): Step {
  switch (event.kind) {
    case 'renew-granted':
      return andThen(
        andThen(renewed(state, event, now, options), (next) => learnPause(next, event.row, now)),
        (next) => afterFailOverOfStore(next, event, now, options),
      );
    case 'renew-refused':
      return refused(state, event, now, options);
    case 'renew-failed':
      return failed(state, event, now, options);
  }
}

type RenewGranted = Extract<RoleEvent, { kind: 'renew-granted' }>;

function renewed(state: RoleState, event: RenewGranted, now: number, options: RoleOptions): Step {
  const tenure = tenureOf(state);
  if (tenure === null || tenure.term !== event.row.term) return only(state);
  if (event.sentAt < tenure.provenBy) {
    return only(withTenure(state, (each) => ({ ...each, renewing: false })));
  }
  // Trust begins when the attempt began, and a late answer never shortens it.
  const trustedUntil = Math.max(
    tenure.trustedUntil,
    event.sentAt + options.ttlMs - options.marginMs,
  );
  const next = withTenure(state, (each) => ({
    ...each,
    renewing: false,
    trustedUntil,
    nextRenewAt: event.sentAt + options.renewEveryMs,
    renewSeq: event.row.renewSeq,
    failingSince: null,
    consent: noConsent,
  }));
  const { term } = tenure;
  const { failsafeSince } = tenure.consent;
  const effects: RoleEffect[] = [];
  if (isUsed(state)) effects.push({ kind: 'extend-tenure', term, trustedUntil, failsafe: false });
  if (failsafeSince !== null) {
    const story = { kind: 'failsafe-ended', term, afterMs: now - failsafeSince } as const;
    effects.push({ kind: 'tell', story });
  }
  const { phase } = state;
  // After a fail-over of the store the row tells nothing of what was committed before.
  const isSameStore = tenure.timeline === event.row.timeline;
  const settles = phase.name === 'handing-over' && phase.attempt === 'unknown' && isSameStore;
  return andThen(only(next, effects), (held) =>
    settles ? goOn(held, 'the lease could not be handed over', options) : only(held),
  );
}

/**
 * Our tenure has survived a fail-over of the store, but perhaps not all that our controller wrote: it holds
 * in memory what the store may have lost. So another one reads what is open, under a term of this timeline.
 */
function afterFailOverOfStore(
  state: RoleState,
  { row }: RenewGranted,
  now: number,
  options: RoleOptions,
): Step {
  const tenure = tenureOf(state);
  if (tenure === null || tenure.term !== row.term || state.phase.name === 'draining') {
    return only(state);
  }
  const { timeline } = tenure;
  if (timeline === row.timeline) return only(state);
  const detail = `the store has failed over from timeline ${timeline} to ${row.timeline}`;
  return fence(state, { reason: 'store-failed-over', detail }, now, options);
}

type RenewRefused = Extract<RoleEvent, { kind: 'renew-refused' }>;

function refused(state: RoleState, event: RenewRefused, now: number, options: RoleOptions): Step {
  const seen = { ...state, watch: observe(state.watch, event.row, now) };
  if (tenureOf(seen)?.term !== event.term) return only(seen);
  if (seen.phase.name === 'handing-over') return settle(seen, event.row, now, options);
  const detail = `the store refused to renew term ${event.term}: the lease is at term ${event.row.term}`;
  return fence(learnTerm(seen, event.row.term), { reason: 'lease-lost', detail }, now, options);
}

type RenewFailed = Extract<RoleEvent, { kind: 'renew-failed' }>;

/** Unknown whether it was carried out: the old deadline counts, and it is tried again soon. */
function failed(state: RoleState, event: RenewFailed, now: number, options: RoleOptions): Step {
  const tenure = tenureOf(state);
  if (tenure === null || tenure.term !== event.term) return only(state);
  if (isCutOff(tenure, event.sentAt, options)) {
    const detail = `a peer reaches the store, this node does not: ${event.error}`;
    return fence(state, { reason: 'store-reachable-by-peer', detail }, now, options);
  }
  return only(
    withTenure(state, (each) => ({
      ...each,
      renewing: false,
      nextRenewAt: now + options.callTimeoutMs / 3,
      failingSince: each.failingSince ?? event.sentAt,
    })),
  );
}

/**
 * The host slept, for how long nobody knows: what is trusted shrinks to the time that two renewals need,
 * and an answer to what was sent before proves nothing.
 */
export function suspended(state: RoleState, now: number, options: RoleOptions): Step {
  const anew = { ...state, watch: observeAnew(state.watch, now), nextReadAt: now, sleptAt: now };
  return only(
    withTenure(anew, (tenure) => ({
      ...tenure,
      trustedUntil: Math.min(tenure.trustedUntil, now + 2 * options.callTimeoutMs),
      nextRenewAt: now,
      provenBy: now,
    })),
    [{ kind: 'tell', story: { kind: 'suspended' } }],
  );
}
