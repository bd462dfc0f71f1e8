import type { ExecutionContext } from 'ava';
import {
  type Balancer,
  type BalancerOptions,
  startHaproxy,
} from '../../support/balancer/balancer.ts';
import { type Asked, failedOf, putShelf, Users } from '../../support/balancer/users.ts';
import type { Cluster } from '../../support/cluster.ts';

/**
 * Of a pair whose requests are counted: nothing but what a test does may end a controller, not a busy machine on
 * which its port is slow, and no agent is needed.
 */
export const STEADY = {
  agents: [],
  host: { controller: { health: { every: '1s', timeout: '5s', failures: 3 } } },
};

export interface Behind {
  readonly haproxy: Balancer;
  readonly users: Users;
}

export interface BehindOptions extends BalancerOptions {
  /** Whether users keep their connections to it. */
  readonly keepAlive?: boolean;
}

/** Puts an HAProxy before a pair, and users before the HAProxy. */
export async function putBehind(
  t: ExecutionContext,
  cluster: Cluster,
  { keepAlive = true, ...options }: BehindOptions = {},
): Promise<Behind> {
  await putShelf(cluster);
  const haproxy = await startHaproxy(t, cluster, options);
  const { token, authority } = cluster.facts;
  const ca = authority?.certificate;
  // What is encrypted for the pair passes through.
  const url = ca === undefined ? haproxy.url : haproxy.url.replace('http:', 'https:');
  const users = new Users({ url, token, keepAlive, ca });
  t.teardown(() => users.close());
  return { haproxy, users };
}

/** What must not be repeated may be lost with the controller that was answering it; nothing else may fail. */
export function onlyPlainLost(t: ExecutionContext, asked: readonly Asked[]): void {
  const failed = failedOf(asked.filter(({ kind }) => kind !== 'plain'));
  t.deepEqual(failed, [], `of ${asked.length}`);
}
