/**
 * When an agent that is cut off ends what must run at most once. The controller calls an agent lost once it
 * was away for `lostAfterMs`, and with it its attempts; by then nothing of an at-most-once attempt may run
 * any more. Pure.
 */

/** The last proof that the controller had us connected. */
export interface Contact {
  /** When the request was sent that was answered: the controller's time to wait began later. */
  readonly provenAtMs: number;
  /** How long the controller waits; null: it did not say. */
  readonly lostAfterMs: number | null;
}

export interface Isolation {
  /** SIGTERM, or what stands for it. */
  readonly endAtMs: number;
  /** Nothing may run after this. */
  readonly killAtMs: number;
}

/** The clocks of two hosts go at rates that differ by less. */
const RHO = 0.01;

/** For what happens after SIGKILL, and for a stream that broke before this agent noticed. */
const RESERVE_MS = 3_000;

/**
 * The law: SIGKILL at `provenAt + lostAfter (1 - rho) - reserve`, the reserve being at most a quarter of
 * `lostAfter`, and SIGTERM one grace earlier, but not in the first half of the time.
 */
export function isolationOf(contact: Contact, graceMs: number): Isolation | null {
  const { provenAtMs, lostAfterMs } = contact;
  if (lostAfterMs === null) return null;
  const killAtMs = provenAtMs + lostAfterMs * (1 - RHO) - Math.min(RESERVE_MS, lostAfterMs / 4);
  return { killAtMs, endAtMs: Math.max(killAtMs - graceMs, provenAtMs + lostAfterMs / 2) };
}

/** A worker with nothing to report gives a sign of life this often, so that contact is proven in time. */
export function signOfLifeMs(lostAfterMs: number | null): number {
  return Math.min(2_000, (lostAfterMs ?? Number.POSITIVE_INFINITY) / 10);
}
