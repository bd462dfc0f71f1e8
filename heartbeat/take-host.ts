import type { ControllerHostConfig } from '@understudy/shared/runtime/config/types';
import type { Log } from '@understudy/shared/runtime/log';
import { awaitFitForAddresses } from './address/await-fit.ts';
import type { ownIdentity } from './lease/identity.ts';
import type { makePostgresLease } from './lease/postgres.ts';
import { awaitKey } from './supervise/key.ts';
import { takeNodeId } from './supervise/node-id.ts';
import { endPredecessors } from './supervise/predecessor.ts';
import { refusePrepared } from './supervise/prepared.ts';
import { awaitSchema } from './supervise/schema.ts';

export interface TakeHostOptions {
  readonly config: ControllerHostConfig;
  readonly incarnation: string;
  readonly registry: ReturnType<typeof makePostgresLease>['registry'];
  readonly identity: ReturnType<typeof ownIdentity>;
  readonly signOfLifeEveryMs: number;
  readonly onWaiting: (reason: string) => void;
  readonly signal: AbortSignal;
  readonly log: Log;
}

const END_PREDECESSORS_WITHIN_MS = 5_000;

/**
 * What must be so before anything may be claimed: this host and the database are fit, the node id is ours alone, and
 * nothing of an earlier life runs. Resolves to the incarnation that had the node id before, if it is proven to have
 * died on this host. Throws `UserError` for what an operator must mend.
 */
export async function takeHost(options: TakeHostOptions): Promise<string | null> {
  const { config, incarnation, registry, identity, onWaiting, signal, log } = options;
  const { pair, node, database, schema, keystore } = config;
  await awaitFitForAddresses({ addresses: config.vip, onWaiting, signal });
  // Beside each other: the one takes no longer than the other, and does not go on when the other has failed.
  const over = new AbortController();
  const wanted = AbortSignal.any([signal, over.signal]);
  const isFit = awaitSchema({ database, schema, onWaiting, signal: wanted }).then(() =>
    awaitKey({ pair, database, schema, keystore, onWaiting, signal: wanted }),
  );
  const taken = takeNodeId({
    registry,
    node,
    self: identity,
    signOfLifeEveryMs: options.signOfLifeEveryMs,
    onWaiting,
    signal: wanted,
    log,
  });
  const [predecessor] = await Promise.all([taken, isFit]).finally(() => over.abort());
  if (signal.aborted) return null;
  if (config.lease.preparedTransactions === 'refuse') {
    await refusePrepared({ database, schema, pair, onWaiting, signal, log });
  }
  await endPredecessors({ pair, node, incarnation, log, withinMs: END_PREDECESSORS_WITHIN_MS });
  return predecessor;
}
