/** Clocks of this host. Only `main` files and adapters take one; pure code gets `now` as an argument. */
export interface Clock {
  /** Monotonic, nanoseconds; the same clock in every process of the host. For deadlines. */
  monotonicNs(): bigint;
  /** Monotonic, milliseconds, with fractions. */
  monotonicMs(): number;
  /** Wall clock, milliseconds since 1970. For people, never for deadlines. */
  wallMs(): number;
}

export const systemClock: Clock = {
  monotonicNs: () => process.hrtime.bigint(),
  monotonicMs: () => Number(process.hrtime.bigint()) / 1e6,
  wallMs: () => Date.now(),
};

/** Nanoseconds of a monotonic instant given in milliseconds. */
export function msToNs(ms: number): bigint {
  return BigInt(Math.round(ms * 1e6));
}

/** Nanoseconds to milliseconds, to the microsecond. For differences: an instant may be too large. */
export function nsToMs(ns: bigint): number {
  return Number(ns / 1_000n) / 1_000;
}
