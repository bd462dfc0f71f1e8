import { unreachable } from '@understudy/shared/kernel/invariant';
import { maxTerm, type Term } from '@understudy/shared/kernel/term';
import { observe, observeAnew } from '../suspicion/watch.ts';
import { controllerGone, controllerSaw, fence } from './active.ts';
import { assertRole } from './invariants.ts';
import { seesLease } from './passive.ts';
import { pursue } from './pursue.ts';
import type { RoleEvent, RoleOptions, RoleState, Step } from './state.ts';
import { begin, learnTerm, only, type Reaction } from './steps.ts';
import { tenureOf } from './view.ts';

/**
 * The role machine: takes in what happened at `now` (milliseconds of the monotonic clock) and says what
 * is to be done. First the facts are noted, then the phase pursues its aim with them. Pure: the heartbeat
 * and the simulator interpret the same effects. Throws `InvariantError` when a law of the pair would break.
 */
export function stepRole(
  state: RoleState,
  event: RoleEvent,
  now: number,
  options: RoleOptions,
): Step {
  const noted = note(begin(state), event, now, options);
  const step = pursue(noted, now, options);
  assertRole(step.state);
  return step;
}

/**
 * The state of a heartbeat that has cleaned up after its predecessor and knows nothing yet. `predecessor`:
 * the incarnation that had this node id before, if it is proven to have died on this host.
 */
export function initialRole(now: number, predecessor: string | null = null): RoleState {
  return {
    phase: { name: 'watching' },
    controller: 'none',
    controllerProblems: [],
    watch: { row: null, changedAt: now, readAt: now },
    reading: false,
    readAgain: false,
    nextReadAt: now,
    storeAwaySince: null,
    sleptAt: now,
    highestTerm: 0n,
    boundTerm: 0n,
    testifiedTerm: 0n,
    nextAskAt: now,
    askUntil: now,
    predecessor,
    givingBack: null,
    stopping: false,
    earlyFailures: 0,
    claimNotBefore: now,
  };
}

function note(step: Step, event: RoleEvent, now: number, options: RoleOptions): Step {
  const { state } = step;
  switch (event.kind) {
    case 'tick':
      return step;
    case 'hint':
      // While the store fails, its hints only tell that a connection was made: no reason to hurry.
      if (state.storeAwaySince !== null) return step;
      return only({ ...state, nextReadAt: now, readAgain: state.reading });
    case 'lease-read':
    case 'claim-refused':
    case 'claim-granted':
    case 'claim-failed':
    case 'read-failed':
      return seesLease(state, event, now, options);
    case 'renew-granted':
      return renewed(state, event, options);
    case 'renew-refused': {
      const detail = `the store refused to renew term ${event.term}: the lease is at term ${event.row.term}`;
      const seen = { ...state, watch: observe(state.watch, event.row, now) };
      if (tenureOf(seen)?.term !== event.term) return only(seen);
      return fence(learnTerm(seen, event.row.term), { reason: 'lease-lost', detail }, now, options);
    }
    case 'renew-failed':
      return retryRenewal(state, event.term, now, options);
    case 'given-back':
      return givenBack(
        learnTerm({ ...state, watch: observe(state.watch, event.row, now) }, event.row.term),
        event.term,
        [{ kind: 'tell', story: { kind: 'given-back', term: event.term } }],
      );
    case 'give-back-failed':
      return givenBack(state, event.term, [
        {
          kind: 'tell',
          story: { kind: 'give-back-failed', term: event.term, error: event.error },
        },
        { kind: 'tell-peers-tenure-over', term: event.term },
      ]);
    case 'testimony':
      return only(takeTestimony(state, event));
    case 'testified':
      return only(
        learnTerm({ ...state, boundTerm: maxTerm(state.boundTerm, event.term) }, event.term),
      );
    case 'peer-hint':
      return only({ ...state, nextReadAt: now, nextAskAt: now, askUntil: now + options.ttlMs });
    case 'heard-term':
      return only(learnTerm(state, event.term));
    case 'controller-starting':
      return only({ ...state, controller: 'starting', controllerProblems: [] });
    case 'controller-ready':
    case 'controller-unready':
    case 'controller-serving':
    case 'controller-unhealthy':
    case 'controller-saw-higher-term':
      return controllerSaw(state, event, now, options);
    case 'controller-gone':
      return controllerGone(state, event.detail, now, options);
    case 'suspended':
      return suspended(state, now, options);
    case 'stop':
      return only({ ...state, stopping: true });
    default:
      return unreachable(event);
  }
}

type RenewGranted = Extract<RoleEvent, { kind: 'renew-granted' }>;

function renewed(state: RoleState, event: RenewGranted, options: RoleOptions): Reaction {
  const { phase } = state;
  if (phase.name !== 'promoting' && phase.name !== 'serving' && phase.name !== 'draining') {
    return only(state);
  }
  if (phase.tenure.term !== event.row.term) return only(state);
  if (event.sentAt < phase.tenure.provenBy) {
    return only({ ...state, phase: { ...phase, tenure: { ...phase.tenure, renewing: false } } });
  }
  const tenure = {
    ...phase.tenure,
    renewing: false,
    // Trust begins when the attempt began, and a late answer never shortens it.
    trustedUntil: Math.max(
      phase.tenure.trustedUntil,
      event.sentAt + options.ttlMs - options.marginMs,
    ),
    nextRenewAt: event.sentAt + options.renewEveryMs,
  };
  const { term, trustedUntil } = tenure;
  const known = phase.name !== 'promoting' || phase.activated;
  return only(
    { ...state, phase: { ...phase, tenure } },
    known ? [{ kind: 'extend-tenure', term, trustedUntil }] : [],
  );
}

function retryRenewal(state: RoleState, term: Term, now: number, options: RoleOptions): Reaction {
  const { phase } = state;
  if (phase.name !== 'promoting' && phase.name !== 'serving' && phase.name !== 'draining') {
    return only(state);
  }
  if (phase.tenure.term !== term) return only(state);
  const nextRenewAt = now + options.callTimeoutMs / 3;
  return only({
    ...state,
    phase: { ...phase, tenure: { ...phase.tenure, renewing: false, nextRenewAt } },
  });
}

function givenBack(state: RoleState, term: Term, effects: Step['effects']): Reaction {
  const { phase } = state;
  const free = { ...state, givingBack: null };
  if (phase.name !== 'releasing' || phase.term !== term) return only(free, effects);
  return only({ ...free, phase: { name: 'watching' } }, effects);
}

/** A host's word counts for the lease that is in its hands, as we last read it, and for nothing else. */
function takeTestimony(
  state: RoleState,
  event: Extract<RoleEvent, { kind: 'testimony' }>,
): RoleState {
  const { row } = state.watch;
  if (row === null || row.holder?.node !== event.node || event.term < row.term) return state;
  return { ...state, testifiedTerm: maxTerm(state.testifiedTerm, row.term) };
}

/**
 * The host slept, for how long nobody knows: what is trusted shrinks to the time that two renewals need,
 * and an answer to what was sent before proves nothing.
 */
function suspended(state: RoleState, now: number, options: RoleOptions): Reaction {
  const { phase } = state;
  const tell = [{ kind: 'tell', story: { kind: 'suspended' } }] as const;
  const anew = { ...state, watch: observeAnew(state.watch, now), nextReadAt: now, sleptAt: now };
  if (phase.name !== 'promoting' && phase.name !== 'serving' && phase.name !== 'draining') {
    return only(anew, tell);
  }
  const trustedUntil = Math.min(phase.tenure.trustedUntil, now + 2 * options.callTimeoutMs);
  const tenure = { ...phase.tenure, trustedUntil, nextRenewAt: now, provenBy: now };
  return only({ ...anew, phase: { ...phase, tenure } }, tell);
}
