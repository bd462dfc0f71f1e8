import type { ControllerHostConfig } from '@understudy/shared/runtime/config/types';
import type { SeenForForce } from '../client/force-call.ts';
import { showTerm } from '../output.ts';

/** What an operator must know before the role is taken by force. */
export function whatForceCosts(
  { pair, timers }: Pick<ControllerHostConfig, 'pair' | 'timers'>,
  { status, active }: Pick<SeenForForce, 'status' | 'active'>,
): string {
  const { node } = status;
  const trustMs = timers.ttlMs - timers.marginMs;
  const who =
    active === null
      ? 'Nobody that answers calls itself active.'
      : `${active.node} is active, with term ${showTerm(active.term)}.`;
  const old = active?.node ?? 'the old active';
  return [
    `${node} is to take the active role of pair ${pair} by force. ${who}`,
    `What stays true: the store ends the sessions that write for ${old} and gives ${node} a higher term;`,
    '  from then on nothing of an older term is committed, whatever that node believes.',
    `What it costs: requests under way at ${old} fail, or end with an unknown outcome. Until ${old} notices,`,
    `  at the latest ${trustMs} ms after its last renewal, two nodes may answer: ${old} from memory, without committing.`,
    '  A pause and the limit of fail-overs do not hold it back.',
    'A plain `understudy switchover` loses no request: use force when that one is refused.',
  ].join('\n');
}
