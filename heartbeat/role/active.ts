import { unreachable } from '@understudy/shared/kernel/invariant';
import { fence, fenced } from './fence.ts';
import type { RoleEvent, RoleOptions, RoleState, Step } from './state.ts';
import { learnTerm, only } from './steps.ts';
import { callOff, quiesced } from './switch-over.ts';
import { actsForTenure, tenureOf } from './view.ts';

type ControllerEvent = Extract<
  RoleEvent,
  {
    kind:
      | 'controller-ready'
      | 'controller-unready'
      | 'controller-listening'
      | 'controller-serving'
      | 'controller-unhealthy'
      | 'controller-held'
      | 'controller-hold-failed'
      | 'controller-saw-higher-term';
  }
>;

/** Takes in what the controller says, or what its checks say of it. */
export function controllerSaw(
  state: RoleState,
  event: ControllerEvent,
  now: number,
  options: RoleOptions,
): Step {
  switch (event.kind) {
    case 'controller-ready':
      if (state.controller !== 'starting' && state.controller !== 'unready') return only(state);
      return only({ ...state, controller: 'ready', controllerProblems: [] });
    case 'controller-unready':
      if (actsForTenure(state.controller) || state.forwarding !== null) return only(state);
      return only({ ...state, controller: 'unready', controllerProblems: event.problems });
    case 'controller-listening':
      return listens(state, event.term);
    case 'controller-serving':
      return serves(state, event.term, now);
    case 'controller-unhealthy':
      if (tenureOf(state) === null) return only(state, [{ kind: 'kill-controller' }]);
      return fence(state, { reason: 'controller-unhealthy', detail: event.detail }, now, options);
    case 'controller-held':
      return quiesced(state, 'held', options);
    case 'controller-hold-failed':
      return callOff(state, event.reason);
    case 'controller-saw-higher-term': {
      const learned = learnTerm(state, event.term);
      const tenure = tenureOf(state);
      if (tenure === null || event.term <= tenure.term) return only(learned);
      const detail = `somebody showed the controller term ${event.term}`;
      return fence(learned, { reason: 'higher-term-seen', detail }, now, options);
    }
    default:
      return unreachable(event);
  }
}

function listens(state: RoleState, term: bigint): Step {
  const { phase } = state;
  if (phase.name !== 'promoting' || phase.tenure.term !== term) return only(state);
  return only({ ...state, phase: { ...phase, isListening: true } });
}

function serves(state: RoleState, term: bigint, now: number): Step {
  const { phase } = state;
  if (phase.name !== 'promoting' || phase.tenure.term !== term) return only(state);
  const { tenure } = phase;
  return only(
    { ...state, controller: 'serving', phase: { name: 'serving', tenure, servingSince: now } },
    [{ kind: 'tell', story: { kind: 'serving', term, afterMs: now - tenure.beganAt } }],
  );
}

/** The controller's process is gone, whoever ended it. */
export function controllerGone(
  state: RoleState,
  detail: string,
  now: number,
  options: RoleOptions,
): Step {
  const gone = {
    ...state,
    controller: 'none',
    controllerProblems: [],
    forwarding: null,
  } as const;
  const { phase } = state;
  switch (phase.name) {
    case 'promoting':
    case 'serving':
      return fence(gone, { reason: 'controller-ended', detail }, now, options);
    case 'draining':
      return fenced(gone, phase.tenure.term, phase.why, [], options);
    case 'quiescing':
      // A wrapped program comes to rest by ending.
      return options.canHold
        ? fence(gone, { reason: 'controller-ended', detail }, now, options)
        : quiesced(gone, 'none', options);
    case 'fencing':
      return fenced(gone, phase.term, phase.why, [], options);
    default:
      return only(gone);
  }
}
