import type { RoleState, Tenure } from '../../role/state.ts';
import type { Aim } from './state.ts';

/**
 * What the role asks for: the addresses come once the controller's port is open, where who comes waits for it to
 * serve, stay through a switch-over and while the controller finishes, and go before anything else when the tenure
 * is over.
 */
export function aimOf(state: RoleState, marginMs: number): Aim {
  const { phase, forwarding } = state;
  switch (phase.name) {
    case 'promoting':
      return phase.isListening ? present(phase.tenure, marginMs) : { kind: 'absent' };
    case 'serving':
    case 'quiescing':
    case 'handing-over':
    case 'draining':
      return present(phase.tenure, marginMs);
    case 'watching':
      return { kind: forwarding === null ? 'absent' : 'leaving' };
    default:
      return { kind: 'absent' };
  }
}

function present({ term, trustedUntil }: Tenure, marginMs: number): Aim {
  return { kind: 'present', term, trustedUntil, leaseUntil: trustedUntil + marginMs };
}
