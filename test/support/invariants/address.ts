/** Who had the virtual IP at an instant, nanoseconds of the monotonic clock. */
export interface AddressSample {
  readonly at: bigint;
  readonly holders: readonly string[];
}

/** Looks that are further apart than this say nothing of what was between them. */
const BLIND_NS = 1_000_000_000n;

/** I9: the address is on at most one host, except for so long at a time. */
export function addressFaults(samples: readonly AddressSample[], boundMs: number): string[] {
  return overlaps(samples).flatMap(({ from, until, holders }) => {
    const ms = Number(until - from) / 1e6;
    if (ms <= boundMs) return [];
    const who = holders.join(' and ');
    return [`I9: ${who} had the address at the same time for ${Math.round(ms)} ms`];
  });
}

/** For how long at most, in milliseconds, several hosts were seen to have the address. */
export function longestOverlapMs(samples: readonly AddressSample[]): number {
  return Math.max(0, ...overlaps(samples).map(({ from, until }) => Number(until - from) / 1e6));
}

interface Overlap {
  readonly from: bigint;
  readonly until: bigint;
  readonly holders: readonly string[];
}

/** From the first look that shows several to the last one in a row. */
function overlaps(samples: readonly AddressSample[]): Overlap[] {
  const found: Overlap[] = [];
  let isOpen = false;
  for (const { at, holders } of samples) {
    const last = found.at(-1);
    const isSeveral = holders.length > 1;
    if (isSeveral && isOpen && last !== undefined && at - last.until <= BLIND_NS) {
      found[found.length - 1] = { ...last, until: at };
    } else if (isSeveral) {
      found.push({ from: at, until: at, holders });
    }
    isOpen = isSeveral;
  }
  return found;
}

/** When this host was seen last to have the address; null: never. */
export function lastHeldAt(samples: readonly AddressSample[], node: string): bigint | null {
  return samples.findLast(({ holders }) => holders.includes(node))?.at ?? null;
}
