import type { Log } from '@understudy/shared/runtime/log';
import type { Operations } from './operations.ts';
import type { Peers } from './peer/client.ts';

export interface AskForRoleOptions {
  readonly node: string;
  readonly peers: Pick<Peers, 'views'>;
  readonly operations: Pick<Operations, 'switchOver'>;
  readonly log: Log;
}

/** This node is preferred and ready: asks for the role, unless the active node is preferred, too. */
export async function askForRole({
  node,
  peers,
  operations,
  log,
}: AskForRoleOptions): Promise<void> {
  const active = peers.views().find(({ state }) => state?.role === 'active')?.state;
  if (active?.preferred === true) {
    log.warn('does not ask for the role: the active node is preferred too', { peer: active.node });
    return;
  }
  const result = await operations.switchOver(node);
  if (result.kind === 'refused') log.warn('was not given the role', { reason: result.reason });
}
