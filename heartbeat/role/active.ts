import { unreachable } from '@understudy/shared/kernel/invariant';
import type { Demotion, RoleEffect, RoleEvent, RoleOptions, RoleState, Step } from './state.ts';
import { learnTerm, only } from './steps.ts';
import { tenureOf } from './view.ts';

type ControllerEvent = Extract<
  RoleEvent,
  {
    kind:
      | 'controller-ready'
      | 'controller-unready'
      | 'controller-serving'
      | 'controller-unhealthy'
      | 'controller-saw-higher-term';
  }
>;

/** A tenure that fails sooner than this many lease times after it began counts as an early failure. */
const EARLY_TTLS = 2;
const HOLD_OFF_FIRST_MS = 500;
const HOLD_OFF_MAX_MS = 30_000;

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
      if (state.controller === 'activating' || state.controller === 'serving') return only(state);
      return only({ ...state, controller: 'unready', controllerProblems: event.problems });
    case 'controller-serving':
      return serves(state, event.term, now);
    case 'controller-unhealthy':
      if (tenureOf(state) === null) return only(state, [{ kind: 'kill-controller' }]);
      return fence(state, { reason: 'controller-unhealthy', detail: event.detail }, now, options);
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

function serves(state: RoleState, term: bigint, now: number): Step {
  const { phase } = state;
  if (phase.name !== 'promoting' || phase.tenure.term !== term) return only(state);
  const { tenure } = phase;
  return only(
    { ...state, controller: 'serving', phase: { name: 'serving', tenure, servingSince: now } },
    [{ kind: 'tell', story: { kind: 'serving', term, afterMs: now - tenure.beganAt } }],
  );
}

/** Demotes at once: the controller gets no chance to say goodbye. */
export function fence(state: RoleState, why: Demotion, now: number, options: RoleOptions): Step {
  const tenure = tenureOf(state);
  if (tenure === null) return only(state);
  const { term } = tenure;
  const effects: RoleEffect[] = [{ kind: 'tell', story: { kind: 'demoting', term, why } }];
  const blamed = blame(state, why, now, options);
  if (state.controller === 'none') return fenced(blamed, term, why, effects, options);
  return only({ ...blamed, phase: { name: 'fencing', term, why } }, [
    ...effects,
    { kind: 'kill-controller' },
  ]);
}

/** The controller's process is gone, whoever ended it. */
export function controllerGone(
  state: RoleState,
  detail: string,
  now: number,
  options: RoleOptions,
): Step {
  const gone = { ...state, controller: 'none', controllerProblems: [] } as const;
  const { phase } = state;
  switch (phase.name) {
    case 'promoting':
    case 'serving':
      return fence(gone, { reason: 'controller-ended', detail }, now, options);
    case 'draining':
      return fenced(gone, phase.tenure.term, phase.why, [], options);
    case 'fencing':
      return fenced(gone, phase.term, phase.why, [], options);
    default:
      return only(gone);
  }
}

/** Nothing of the term runs any more: now, and only now, is the lease given back. */
function fenced(
  state: RoleState,
  term: bigint,
  why: Demotion,
  effects: readonly RoleEffect[],
  options: RoleOptions,
): Step {
  return only({ ...state, phase: { name: 'releasing', term, why } }, [
    ...effects,
    { kind: 'tell', story: { kind: 'fenced', term } },
    { kind: 'release', held: { term, incarnation: options.self.incarnation } },
  ]);
}

/**
 * Counts tenures that failed soon after they began. From the second in a row on this node holds off, so
 * that a pair whose controllers crash on start does not throw the role to and fro.
 */
function blame(state: RoleState, why: Demotion, now: number, options: RoleOptions): RoleState {
  const tenure = tenureOf(state);
  const isFault = why.reason.startsWith('controller-');
  if (tenure === null || !isFault) return state;
  // One that never served failed early, however long it tried.
  const neverServed = state.phase.name === 'promoting';
  const isEarly = neverServed || now - tenure.beganAt < EARLY_TTLS * options.ttlMs;
  const earlyFailures = isEarly ? state.earlyFailures + 1 : 0;
  const holdOffMs =
    earlyFailures < 2 ? 0 : Math.min(HOLD_OFF_MAX_MS, HOLD_OFF_FIRST_MS * 2 ** (earlyFailures - 2));
  // A cold node could claim again before the peer has even read that the lease is free.
  const leadMs = options.standby === 'cold' ? options.pollEveryMs + options.callTimeoutMs : 0;
  return { ...state, earlyFailures, claimNotBefore: now + Math.max(holdOffMs, leadMs) };
}
