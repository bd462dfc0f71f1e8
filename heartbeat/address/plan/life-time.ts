/**
 * How long the kernel is told to keep the virtual addresses. Nobody renews them when the heartbeat is dead or frozen:
 * then the kernel removes them. It counts in whole seconds, rounds the look at what has expired up by
 * `KERNEL_LATE_MS` at most (`round_jiffies`), and hears of us up to `COMMAND_SLOW_MS` after we looked at the clock.
 *
 * A lease ends on this host's clock at L, not later than in the store. With a life time of
 * floor((L - now + 500 ms) / 1 s) seconds, but at least one, an address is gone at the latest at
 *
 *     L + 500 ms + KERNEL_LATE_MS + COMMAND_SLOW_MS = L + 1 s
 *
 * when the lease lasts half a second or more; for shorter ones at L + 1.5 s - T. As nobody else is granted the lease
 * before L, two hosts have the address for 1 s at most, whatever happens to the one that had it. A command that
 * took longer than `COMMAND_SLOW_MS` is repeated at once; what it took longer is added if the host dies
 * before the repetition.
 *
 * At the earliest an address is gone at L - 500 ms, which may be while this node still trusts itself: at that
 * instant it is put again, and then it outlives trust.
 */
export const KERNEL_LATE_MS = 250;
export const COMMAND_SLOW_MS = 250;

/** How long after the end of the lease an address may be there at the latest; see above. */
export const MOST_LATE_MS = 1_000;

const ROUNDING_MS = MOST_LATE_MS - KERNEL_LATE_MS - COMMAND_SLOW_MS;

/** The life time in seconds of an address that is put at `now` under a lease that ends at `leaseUntil`. */
export function lifeTimeS(leaseUntil: number, now: number): number {
  return Math.max(1, Math.floor((leaseUntil - now + ROUNDING_MS) / 1_000));
}

/** When an address that might go too early is put again though the lease was not renewed. */
export function putAgainAt(leaseUntil: number): number {
  return leaseUntil - ROUNDING_MS;
}
