import { UserError } from '@understudy/shared/runtime/errors';
import type { Log } from '@understudy/shared/runtime/log';
import { endRemains } from './remains.ts';

/** The environment variable that marks a controller and all it starts. */
export const OWNER_VARIABLE = 'UNDERSTUDY_OWNER';

/** The mark of one incarnation's processes: `<pair>/<node>/<incarnation>`. */
export function ownerMark(pair: string, node: string, incarnation: string): string {
  return `${pair}/${node}/${incarnation}`;
}

export interface PredecessorOptions {
  readonly pair: string;
  readonly node: string;
  readonly incarnation: string;
  readonly log: Log;
  readonly withinMs: number;
}

/**
 * Makes sure that nothing runs any more of what earlier incarnations of this node started on this host:
 * finds their processes by the mark in their environment, and with them their sessions, kills them, and
 * looks again until there are none; see `endRemains` for what it can't find. Resolves to how many there were.
 * Throws `UserError` when one survives SIGKILL (stuck in the kernel): then nobody may say that it is dead.
 */
export async function endPredecessors(options: PredecessorOptions): Promise<number> {
  const prefix = `${OWNER_VARIABLE}=${ownerMark(options.pair, options.node, '')}`;
  const own = `${OWNER_VARIABLE}=${ownerMark(options.pair, options.node, options.incarnation)}`;
  const { found, survivor } = await endRemains({
    isMark: (entry) => entry.startsWith(prefix) && entry !== own,
    session: null,
    withinMs: options.withinMs,
    onFound: ({ pid }) => {
      options.log.warn('ends what an earlier heartbeat of this node left behind', { pid });
    },
  });
  if (survivor !== null) {
    throw new UserError(
      `process ${survivor.pid} of an earlier heartbeat of node ${options.node} survives SIGKILL: ` +
        'its tenure cannot be declared over; look at it, or restart this host',
    );
  }
  return found;
}
