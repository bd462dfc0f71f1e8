import { invariant } from '@understudy/shared/kernel/invariant';
import type { RoleState } from './state.ts';
import { actsForTenure, tenureOf } from './view.ts';

/** What holds after every step. A breach means a defect of the machine: the heartbeat ends at once. */
export function assertRole(state: RoleState): void {
  const { phase, controller } = state;
  const tenure = tenureOf(state);
  invariant(
    tenure === null || tenure.term > state.boundTerm,
    `a tenure of term ${tenure?.term} is used although the word was given up to ${state.boundTerm}`,
  );
  invariant(
    tenure === null || tenure.term <= state.highestTerm,
    'a tenure above the highest term heard of',
  );
  const acts = actsForTenure(controller);
  invariant(
    !acts || tenure !== null || phase.name === 'fencing',
    `the controller is ${controller} in phase ${phase.name}, without a tenure`,
  );
  invariant(
    phase.name !== 'serving' || controller === 'serving',
    `phase serving with a controller that is ${controller}`,
  );
  invariant(
    phase.name !== 'handing-over' || controller === 'held' || controller === 'none',
    `the lease is being handed over while the controller is ${controller}`,
  );
  invariant(
    controller !== 'forwarding' || tenure === null,
    'a controller that only forwards, in a tenure',
  );
  invariant(
    (controller === 'forwarding') === (state.forwarding !== null),
    `forwarding without a limit, or a limit without forwarding: the controller is ${controller}`,
  );
  invariant(
    phase.name !== 'releasing' || controller === 'none',
    'the lease is given back before the controller is dead',
  );
  invariant(
    phase.name !== 'stopped' || controller === 'none',
    'stopped before the controller is dead',
  );
}
