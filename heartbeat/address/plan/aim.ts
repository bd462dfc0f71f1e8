import type { RoleState } from '../../role/state.ts';
import type { Aim } from './state.ts';

/**
 * What the role asks for: the addresses come once the controller serves, stay through a switch-over and while the
 * controller finishes, and go before anything else when the tenure is over.
 */
export function aimOf(state: RoleState, marginMs: number): Aim {
  const { phase, forwarding } = state;
  switch (phase.name) {
    case 'serving':
    case 'quiescing':
    case 'handing-over':
    case 'draining': {
      const { term, trustedUntil } = phase.tenure;
      return { kind: 'present', term, trustedUntil, leaseUntil: trustedUntil + marginMs };
    }
    case 'watching':
      return { kind: forwarding === null ? 'absent' : 'leaving' };
    default:
      return { kind: 'absent' };
  }
}
