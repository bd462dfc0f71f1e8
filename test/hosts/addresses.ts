import { MOST_LATE_MS } from '@understudy/heartbeat/address/plan/life-time';
import type { HostNetwork } from '@understudy/scripts/hosts/network';
import type { ExecutionContext } from 'ava';
import { eventually } from '../support/cluster/eventually.ts';
import type { ClusterOptions } from '../support/cluster.ts';
import type { AddressSampler } from '../support/hosts/sampler.ts';
import type { UserProcess } from '../support/hosts/user-process.ts';
import { addressFaults, longestOverlapMs } from '../support/invariants/address.ts';
import type { Stage } from './stage.ts';

/** How long two hosts may have an address at most (`plan/life-time.ts`), and as much as two looks are apart. */
export const OVERLAP_MS = MOST_LATE_MS + 100;

/** One address of each family. */
export function addressesOf(network: HostNetwork): readonly [string, string] {
  return [network.free(2), network.free6(2)];
}

/**
 * A pair that has both. Its lease lasts 2.55 s, so that the kernel, which counts in whole seconds, keeps an address
 * for nearly as long beyond the end of the lease as it ever does. A machine that runs other tests may take its time to
 * answer a check.
 */
export function withAddresses(network: HostNetwork): ClusterOptions {
  const vip = addressesOf(network).map((address) => ({ address, interface: 'eth0' }));
  const health = { every: '1s', timeout: '2s', failures: 5 };
  return { host: { vip, failover: { target: '4300ms' }, controller: { health } } };
}

/**
 * For how long after an instant, in milliseconds, a host was still seen to have an address. Of a host that renews
 * nothing any more it is no longer than the lease and a second.
 */
export function keptForMs({ samples }: AddressSampler, node: string, since: bigint): number {
  const last = samples.findLast(({ holders }) => holders.includes(node));
  return last === undefined ? 0 : Math.round(Number(last.at - since) / 1e6);
}

/** Base URLs of the pair under its virtual addresses. */
export function urlsOf(network: HostNetwork): [string, string] {
  const [four, six] = addressesOf(network).map((address) => address.split('/', 1)[0]);
  return [`http://${four}:7300`, `http://[${six}]:7300`];
}

/** Looks at both addresses, and waits until the active host alone has them. */
export async function watchBoth({ network, scenario, watch }: Stage): Promise<AddressSampler[]> {
  const samplers = addressesOf(network).map(watch);
  await onlyOn(samplers, scenario.before.active.node);
  return samplers;
}

/** Waits until this host alone has the addresses. */
export async function onlyOn(samplers: readonly AddressSampler[], node: string): Promise<void> {
  await eventually(() => (samplers.every(({ holders }) => holders.join() === node) ? true : null), {
    what: `the addresses to be on ${node} alone`,
  });
}

/** Waits until a user is answered by this node for a request that began after an instant. */
export async function answeredBy(user: UserProcess, node: string, since = 0n): Promise<void> {
  await eventually(() => user.answered(node).find(({ sentAt }) => BigInt(sentAt) > since) ?? null, {
    what: `a user to be answered by ${node}`,
  });
}

/** I9, with what was measured. */
export function judgeAddresses(
  t: ExecutionContext,
  samplers: readonly AddressSampler[],
  boundMs: number,
): void {
  for (const { samples } of samplers) {
    t.log(`on two hosts for ${longestOverlapMs(samples)} ms at most`);
    t.deepEqual(addressFaults(samples, boundMs), []);
  }
}
