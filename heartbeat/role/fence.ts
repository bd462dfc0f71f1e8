import type { Demotion, RoleEffect, RoleOptions, RoleState, Step } from './state.ts';
import { only } from './steps.ts';
import { tenureOf } from './view.ts';

/** A tenure that fails sooner than this many lease times after it began counts as an early failure. */
const EARLY_TTLS = 2;
const HOLD_OFF_FIRST_MS = 500;
const HOLD_OFF_MAX_MS = 30_000;

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

/** Nothing of the term runs any more: now, and only now, is the lease given back. */
export function fenced(
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
