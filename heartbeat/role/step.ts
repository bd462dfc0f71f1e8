import { unreachable } from '@understudy/shared/kernel/invariant';
import { maxTerm, type Term } from '@understudy/shared/kernel/term';
import { observe } from '../suspicion/watch.ts';
import { controllerGone, controllerSaw } from './active.ts';
import { consented, consentGiven, consentRefused } from './failsafe.ts';
import { renewalAnswered, suspended } from './holding.ts';
import { assertRole } from './invariants.ts';
import { seesLease } from './passive.ts';
import { pursue } from './pursue.ts';
import type { RoleEvent, RoleOptions, RoleState, Step } from './state.ts';
import { begin, learnTerm, only, type Reaction } from './steps.ts';
import { handOverAnswered, switchOverAsked } from './switch-over.ts';

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
    promise: null,
    expected: null,
    forwarding: null,
    orderedUntil: 0,
    forcedUntil: 0,
    pausedUntil: 0,
    disagreement: null,
    peersHeard: 0,
    gaveTerm: 0n,
    readySince: null,
    nextFailbackAt: now,
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
    case 'renew-refused':
    case 'renew-failed':
      return renewalAnswered(state, event, now, options);
    case 'consent-given':
      return consentGiven(state, event, now, options);
    case 'consent-refused':
      return consentRefused(state, event, now, options);
    case 'consented':
      return consented(state, event.term, event.until, now);
    case 'switch-over-asked':
      return switchOverAsked(state, event.successor, now, options);
    case 'hand-over-expected':
      return only({ ...state, expected: { term: event.term, until: event.until } });
    case 'handed-over':
    case 'hand-over-refused':
    case 'hand-over-failed':
      return handOverAnswered(state, event, now, options);
    case 'promote-ordered':
      return only({
        ...state,
        orderedUntil: event.until,
        forcedUntil: event.isForced ? event.until : 0,
        nextReadAt: now,
        readAgain: state.reading,
      });
    case 'peers-heard':
      return only({ ...state, peersHeard: event.count });
    case 'disagreement':
      return disagree(state, event.reason);
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
    case 'controller-listening':
    case 'controller-serving':
    case 'controller-unhealthy':
    case 'controller-held':
    case 'controller-hold-failed':
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

/** Whoever disagrees with its peers about the pair does not take the role; it keeps what it has. */
function disagree(state: RoleState, reason: string | null): Reaction {
  if (reason === state.disagreement) return only(state);
  const next = { ...state, disagreement: reason };
  if (reason === null) return only(next);
  return only(next, [{ kind: 'tell', story: { kind: 'disagreement', reason } }]);
}
