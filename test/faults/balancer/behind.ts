import type { ExecutionContext } from 'ava';
import {
  type Balancer,
  type BalancerOptions,
  startHaproxy,
} from '../../support/balancer/balancer.ts';
import { type Asked, failedOf, putShelf, Users } from '../../support/balancer/users.ts';
import { faultLasts } from '../../support/cluster/eventually.ts';
import type { Cluster } from '../../support/cluster.ts';
import { servingFaults } from '../../support/invariants/service.ts';
import type { Scenario } from '../scenario.ts';

/**
 * Of a pair whose requests are counted: nothing but what a test does may end a controller, not a busy machine on
 * which its port is slow, and no agent is needed.
 */
export const STEADY = {
  agents: [],
  host: { controller: { health: { every: '1s', timeout: '5s', failures: 3 } } },
};

/** Before and after what happens, so that both controllers are asked for a while. */
export const CALM_MS = 1_500;

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

/**
 * A switch-over while users ask so often: none of their requests fails, before it, in it, and when the old controller,
 * which sends on for five seconds, is ended.
 */
export async function switchOverFailsNobody(
  t: ExecutionContext,
  { cluster }: Scenario,
  { users, perSecond }: { readonly users: Users; readonly perSecond: number },
): Promise<void> {
  const load = users.start(perSecond);
  await faultLasts(CALM_MS);
  const { code, stderr } = await cluster.command(['switchover']);
  t.is(code, 0, stderr);
  await faultLasts(5_000 + CALM_MS);
  const asked = await load.stop();
  t.deepEqual(failedOf(asked), [], `of ${asked.length}`);
  const answers = asked.flatMap(({ served }) => served ?? []);
  t.deepEqual([...new Set(answers.map(({ node }) => node))].toSorted(), ['a', 'b']);
  t.deepEqual(servingFaults(answers), []);
}

/** What must not be repeated may be lost with the controller that was answering it; nothing else may fail. */
export function onlyPlainLost(t: ExecutionContext, asked: readonly Asked[]): void {
  const failed = failedOf(asked.filter(({ kind }) => kind !== 'plain'));
  t.deepEqual(failed, [], `of ${asked.length}`);
}
