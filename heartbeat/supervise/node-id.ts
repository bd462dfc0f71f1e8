import { setTimeout as delay } from 'node:timers/promises';
import { isAlive } from '@understudy/shared/runtime/child';
import { exitCodes, UserError } from '@understudy/shared/runtime/errors';
import type { Log } from '@understudy/shared/runtime/log';
import type { ProcessIdentity } from '../lease/identity.ts';
import type { NodeRegistry, RegisteredNode } from '../lease/registry.ts';

export interface TakeNodeIdOptions {
  readonly registry: NodeRegistry;
  readonly node: string;
  readonly self: ProcessIdentity;
  /** How often a living heartbeat moves its sign of life. */
  readonly signOfLifeEveryMs: number;
  readonly onWaiting: (reason: string) => void;
  readonly signal: AbortSignal;
  readonly log: Log;
}

const RETRY_MS = 500;

/**
 * Takes this node's id in the registry of the pair, so that no second heartbeat can run under it. Waits
 * for the store as long as it takes, until `signal`. Throws `UserError` (exit code 78) when a living
 * heartbeat has the id: on this host its process is looked up, elsewhere its sign of life is watched.
 * Resolves to the incarnation that had the id before, if it is proven to have died on this very host;
 * null when there was none, or when nobody can know.
 */
export async function takeNodeId(options: TakeNodeIdOptions): Promise<string | null> {
  const { registry, signal } = options;
  let observed: RegisteredNode | null = null;
  while (!signal.aborted) {
    const seen = await registry.read();
    if (seen.kind === 'failed') {
      await wait(`the database does not answer: ${seen.error}`, RETRY_MS, options);
      continue;
    }
    const { node } = seen;
    if (node !== null && isSelf(node, options.self)) return provenDead(observed, options);
    observed = node;
    if (node !== null && (await isInUse(node, options))) throw inUse(options.node, node);
    if (signal.aborted) return null;
    const taken = await registry.take(node?.incarnation ?? null);
    if (taken.kind === 'taken') return provenDead(observed, options);
    if (taken.kind === 'failed') {
      await wait(`the node id could not be taken: ${taken.error}`, RETRY_MS, options);
    }
  }
  return null;
}

/** It was taken, and only the answer was lost. */
function isSelf(node: RegisteredNode, self: ProcessIdentity): boolean {
  return node.bootId === self.bootId && node.pid === self.pid && node.pidStart === self.pidStart;
}

function provenDead(node: RegisteredNode | null, { self }: TakeNodeIdOptions): string | null {
  return node !== null && node.bootId === self.bootId ? node.incarnation : null;
}

async function isInUse(found: RegisteredNode, options: TakeNodeIdOptions): Promise<boolean> {
  if (found.bootId === options.self.bootId) {
    return isAlive({ pid: found.pid, startTime: found.pidStart });
  }
  const reason = `watches whether another host still uses the node id ${options.node}`;
  await wait(reason, 2.5 * options.signOfLifeEveryMs, options);
  while (!options.signal.aborted) {
    const later = await options.registry.read();
    if (later.kind === 'read') {
      const { node } = later;
      return node?.incarnation === found.incarnation && node.seenSeq !== found.seenSeq;
    }
    // Not to be able to look is no answer.
    await wait(`the database does not answer: ${later.error}`, RETRY_MS, options);
  }
  return false;
}

function inUse(node: string, found: RegisteredNode): UserError {
  return new UserError(
    `the node id ${node} is already in use by the heartbeat at ${found.heartbeatUrl} ` +
      `(process ${found.pid} there): give each controller host of the pair its own \`node\`, ` +
      'or end the other heartbeat first',
    exitCodes.badConfig,
  );
}

async function wait(reason: string, ms: number, options: TakeNodeIdOptions): Promise<void> {
  options.onWaiting(reason);
  try {
    await delay(ms, undefined, { signal: options.signal });
  } catch (error) {
    if (!options.signal.aborted) throw error;
  }
}
