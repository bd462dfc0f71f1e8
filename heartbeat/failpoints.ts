import { readFailpoints } from '@understudy/shared/runtime/failpoints';

/**
 * Places in a change of roles at which a test makes the heartbeat die: about to claim, with the answer to a
 * granted claim in hand, with a controller that has said that it serves, and before and after this host is
 * given the virtual addresses; and, after a hand-over, with the door of the addresses closed.
 */
export const heartbeatFailpoints = [
  'before-claim',
  'after-claim',
  'before-serving',
  'before-address',
  'after-address',
  'after-close',
] as const;
export type Failpoint = (typeof heartbeatFailpoints)[number];

const { pass } = readFailpoints<Failpoint>(process.env['UNDERSTUDY_FAILPOINTS']);

/** Does not return if this process is to die here. */
export function passFailpoint(place: Failpoint): void {
  pass(place);
}
