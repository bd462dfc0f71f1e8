import { maxTerm, type Term } from '@understudy/shared/kernel/term';
import type { LeaseRow } from '../lease/port.ts';
import type { RoleEffect, RoleState, Step, Tenure } from './state.ts';

/** A reaction is a step: the next state, and what is to be done. */
export type Reaction = Step;

/** A step that changes nothing. */
export function begin(state: RoleState): Step {
  return { state, effects: [] };
}

/** A step to that state with those effects. */
export function only(state: RoleState, effects: readonly RoleEffect[] = []): Step {
  return { state, effects };
}

/** Goes on from a step: its effects come first. */
export function andThen(step: Step, next: (state: RoleState) => Step): Step {
  const following = next(step.state);
  return { state: following.state, effects: [...step.effects, ...following.effects] };
}

/** Notes a term that was heard of: terms are never reset, so only higher ones count. */
export function learnTerm(state: RoleState, term: Term): RoleState {
  return { ...state, highestTerm: maxTerm(state.highestTerm, term) };
}

/** Changes the tenure, in whichever phase there is one. */
export function withTenure(state: RoleState, change: (tenure: Tenure) => Tenure): RoleState {
  const { phase } = state;
  switch (phase.name) {
    case 'promoting':
    case 'serving':
    case 'quiescing':
    case 'handing-over':
    case 'draining':
      return { ...state, phase: { ...phase, tenure: change(phase.tenure) } };
    default:
      return state;
  }
}

/** Whether a controller may be acting for the tenure, so that trust that runs out must end it. */
export function isUsed({ phase }: RoleState): boolean {
  return phase.name !== 'promoting' || phase.activated;
}

/** Notes what the row says of a pause; the instant is our own, for the clocks of hosts may differ. */
export function learnPause(state: RoleState, row: LeaseRow, now: number): Step {
  const { pausedForMs } = row;
  if (pausedForMs === null) {
    if (state.pausedUntil === 0) return only(state);
    return only({ ...state, pausedUntil: 0 }, [{ kind: 'tell', story: { kind: 'pause-over' } }]);
  }
  const paused = { ...state, pausedUntil: now + pausedForMs };
  if (state.pausedUntil !== 0) return only(paused);
  return only(paused, [{ kind: 'tell', story: { kind: 'paused', forMs: pausedForMs } }]);
}
