import type { Held } from '../lease/port.ts';
import type { ControllerView, Role, RoleOptions, RoleState, Tenure } from './state.ts';

/** The tenure while there is one that may still be trusted; null otherwise. */
export function tenureOf(state: RoleState): Tenure | null {
  const { phase } = state;
  switch (phase.name) {
    case 'promoting':
    case 'serving':
    case 'quiescing':
    case 'handing-over':
    case 'draining':
      return phase.tenure;
    default:
      return null;
  }
}

/** The role as users see it. A node that is being fenced is active until its controller is dead. */
export function roleOf(state: RoleState): Role {
  return tenureOf(state) !== null || state.phase.name === 'fencing' ? 'active' : 'passive';
}

/** Whether users are served here at `now`. While a switch-over is prepared they are, a little later. */
export function isServing({ phase }: RoleState, now: number): boolean {
  const serves = phase.name === 'serving' || phase.name === 'quiescing';
  return serves && now < phase.tenure.trustedUntil;
}

/** Since when trust rests on the peers' consent, because the store is away; null while it does not. */
export function failsafeSince(state: RoleState): number | null {
  return tenureOf(state)?.consent.failsafeSince ?? null;
}

/** Why this node could not take over now; empty when it could. */
export function whyNotReady(state: RoleState, options: RoleOptions): readonly string[] {
  const reasons: string[] = [];
  if (state.stopping) reasons.push('it is stopping');
  if (state.storeAwaySince !== null) reasons.push('the store does not answer');
  if (state.watch.row === null) reasons.push('it has not read the lease yet');
  if (state.disagreement !== null) reasons.push(state.disagreement);
  if (!canActivate(state, options)) {
    reasons.push(
      state.controllerProblems.length > 0
        ? `its controller is not ready: ${state.controllerProblems.join('; ')}`
        : `its controller is not ready: ${state.controller}`,
    );
  }
  return reasons;
}

/** Whether the controller could be activated at once (or, cold, be started). */
export function canActivate(state: RoleState, options: RoleOptions): boolean {
  if (state.controller === 'ready') return true;
  return options.standby === 'cold' && state.controller === 'none';
}

/**
 * Whether this node may give its word that the tenure `held`, and all its tenures below, are over: it holds
 * none of them, and no controller of its acts or could act under one. It speaks for itself and for its
 * proven dead predecessor only. Giving it is the event `testified`, after which a grant up to that term is
 * never used, even one that is under way now.
 */
export function mayTestify(state: RoleState, held: Held, options: RoleOptions): boolean {
  const { term, incarnation } = held;
  if (incarnation !== options.self.incarnation && incarnation !== state.predecessor) return false;
  if (state.phase.name === 'fencing') return false;
  const tenure = tenureOf(state);
  if (tenure !== null && tenure.term <= term) return false;
  return tenure !== null || !actsForTenure(state.controller);
}

/** Whether a controller in that state acts for a tenure, or could without being told anything more. */
export function actsForTenure(controller: ControllerView): boolean {
  return controller === 'activating' || controller === 'serving' || controller === 'held';
}
