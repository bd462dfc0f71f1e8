import type {
  AddressEvent,
  AddressState,
  Aim,
  Found,
} from '@understudy/heartbeat/address/plan/state';
import { initialAddress, stepAddress } from '@understudy/heartbeat/address/plan/step';

const ADDRESS = '10.0.0.10/24';
export const here: Found = { present: [ADDRESS], missing: [] };
export const away: Found = { present: [], missing: [ADDRESS] };
export const unknown: Found = { present: [], missing: [] };
export const MARGIN_MS = 120;

/** Under a lease that ends at this instant. */
export function presentUntil(leaseUntil: number, term = 7n): Aim {
  return { kind: 'present', term, trustedUntil: leaseUntil - MARGIN_MS, leaseUntil };
}

/** Plays events in order, each at its instant and with what the kernel has then; says what was to be done. */
export class Play {
  state: AddressState = initialAddress(0);

  at(now: number, event: AddressEvent, found: Found): string[] {
    const step = stepAddress(this.state, event, now, found);
    this.state = step.state;
    return step.effects.map((effect) => {
      if (effect.kind === 'put') return `put ${effect.isAnew ? 'anew ' : ''}${effect.lifeS}`;
      return effect.kind === 'tell' ? effect.story.kind : effect.kind;
    });
  }

  aim(now: number, aim: Aim, found: Found): string[] {
    return this.at(now, { kind: 'aim', aim }, found);
  }

  /** From the start to a host that has the addresses, under a lease of two seconds that began at 1,000. */
  static held(): Play {
    const play = new Play();
    play.aim(1_000, presentUntil(3_000), away);
    play.at(1_010, { kind: 'put-done' }, here);
    return play;
  }
}
