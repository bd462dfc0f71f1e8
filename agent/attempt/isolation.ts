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

/** What the controller that took us in has said of signs of life. */
export interface SignTerms {
  /** How long it waits for us; null: it did not say. */
  readonly lostAfterMs: number | null;
  /** How often it wants one of a worker with nothing to do; null: as often as of one that works. */
  readonly idleSignEveryMs: number | null;
}

/**
 * A worker with nothing to report gives a sign of life this often. While attempts run it does so for itself, too:
 * what may not run on without contact is ended in time only if contact is proven all the time.
 */
export function signOfLifeMs({ lostAfterMs, idleSignEveryMs }: SignTerms, isIdle: boolean): number {
  const atWorkMs = Math.min(2_000, (lostAfterMs ?? Number.POSITIVE_INFINITY) / 10);
  return isIdle ? Math.max(atWorkMs, idleSignEveryMs ?? 0) : atWorkMs;
}
