import { maxTerm, type Term } from '@understudy/shared/kernel/term';
import type { RoleEffect, RoleState, Step } from './state.ts';

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
