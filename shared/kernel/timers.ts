import { formatDurationMs } from './duration.ts';

/** The timers of the lease (PROTOCOL.md): T, P, R, M and what belongs to them, in milliseconds. */
export interface Timers {
  /** T: how long a grant or a renewal lasts. */
  readonly ttlMs: number;
  /** P: renewal period. */
  readonly renewEveryMs: number;
  /** R: time limit of one call to the store. */
  readonly callTimeoutMs: number;
  /** M: what is kept back between trust on this host and expiry in the store. */
  readonly marginMs: number;
  /** How often a passive reads the lease. */
  readonly pollEveryMs: number;
  /** S: from grant to serving, the budget that the promise counts with. */
  readonly activateWithinMs: number;
  /** G: how long killing a controller may take. */
  readonly killWithinMs: number;
  /** rho: bound on how much clock rates differ, as a fraction. */
  readonly clockRateBound: number;
  /** Longest time without an active after silence: T (1 + rho) + poll + 2R + S. */
  readonly worstCaseMs: number;
}

/** What a user may set in place of a derived value. */
export type TimerOverrides = {
  readonly [Name in Exclude<keyof Timers, 'clockRateBound' | 'worstCaseMs'>]?: number | undefined;
};

/** `unsafe` carries each violated law with its numbers; such timers must not be used. */
export type TimersResult =
  | { readonly kind: 'safe'; readonly timers: Timers }
  | { readonly kind: 'unsafe'; readonly timers: Timers; readonly violations: readonly string[] };

/** rho: quartz is far better; a virtual machine whose clock is being corrected is not. */
const CLOCK_RATE_BOUND = 0.01;
/** G, when nobody says otherwise: SIGKILL and reaping, measured in single milliseconds. */
const KILL_WITHIN_MS = 50;
/** What a busy host may take to run a timer that is due. */
export const SCHEDULING_SLACK_MS = 50;

/**
 * Derives the timers from the longest time that there may be no active, `targetMs`, takes what is set
 * by itself in place of what would be derived, and checks the laws that keep two nodes from being
 * active at once.
 */
export function deriveTimers(targetMs: number, overrides: TimerOverrides = {}): TimersResult {
  const timers = timersFor(targetMs, overrides);
  const violations = violatedLaws(timers, targetMs);
  return violations.length === 0
    ? { kind: 'safe', timers }
    : { kind: 'unsafe', timers, violations };
}

/** The smallest target that gives safe timers with nothing else set. */
export function smallestTargetMs(): number {
  let targetMs = 1;
  while (deriveTimers(targetMs).kind === 'unsafe') targetMs += 1;
  return targetMs;
}

function timersFor(targetMs: number, set: TimerOverrides): Timers {
  const rho = CLOCK_RATE_BOUND;
  const callTimeoutMs = set.callTimeoutMs ?? Math.max(50, Math.round(0.075 * targetMs));
  const pollEveryMs = set.pollEveryMs ?? Math.max(1, Math.round(0.1 * targetMs));
  const activateWithinMs = set.activateWithinMs ?? Math.max(150, Math.round(0.15 * targetMs));
  const killWithinMs = set.killWithinMs ?? KILL_WITHIN_MS;
  const forLease = targetMs - pollEveryMs - 2 * callTimeoutMs - activateWithinMs;
  const ttlMs = set.ttlMs ?? Math.max(1, Math.floor(forLease / (1 + rho)));
  const least = leastMarginMs(ttlMs, killWithinMs);
  const worst = ttlMs * (1 + rho) + pollEveryMs + 2 * callTimeoutMs + activateWithinMs;
  return {
    ttlMs,
    renewEveryMs: set.renewEveryMs ?? Math.max(1, Math.floor(ttlMs / 3)),
    callTimeoutMs,
    marginMs: set.marginMs ?? least,
    pollEveryMs,
    activateWithinMs,
    killWithinMs,
    clockRateBound: rho,
    worstCaseMs: ceil(worst),
  };
}

function violatedLaws(timers: Timers, targetMs: number): string[] {
  const { ttlMs: T, renewEveryMs: P, callTimeoutMs: R, marginMs: M } = timers;
  const violations: string[] = [];
  if (P + 2 * R > T - M) {
    violations.push(
      `P + 2R <= T - M does not hold: ${P} + 2 * ${R} = ${P + 2 * R} ms is more than ` +
        `${T} - ${M} = ${T - M} ms (P lease.renewEvery, R lease.callTimeout, T lease.ttl, M lease.margin)`,
    );
  }
  const least = leastMarginMs(T, timers.killWithinMs);
  if (M < least) {
    violations.push(
      `M >= rho T + G + slack does not hold: ${M} ms is less than ${timers.clockRateBound} * ${T} + ` +
        `${timers.killWithinMs} + ${SCHEDULING_SLACK_MS} = ${least} ms ` +
        '(M lease.margin, T lease.ttl, G failover.killWithin)',
    );
  }
  if (timers.worstCaseMs > targetMs) {
    violations.push(
      `T (1 + rho) + poll + 2R + S <= failover.target does not hold: ${T} * 1.01 + ` +
        `${timers.pollEveryMs} + 2 * ${R} + ${timers.activateWithinMs} = ${timers.worstCaseMs} ms is more than ` +
        `${formatDurationMs(targetMs)} (T lease.ttl, poll lease.pollEvery, R lease.callTimeout, S failover.activateWithin)`,
    );
  }
  return violations;
}

function leastMarginMs(ttlMs: number, killWithinMs: number): number {
  return ceil(CLOCK_RATE_BOUND * ttlMs + killWithinMs + SCHEDULING_SLACK_MS);
}

/** Rounds up, but not on account of the last binary digits of a product like 1.01 * 300. */
function ceil(ms: number): number {
  return Math.ceil(ms - 1e-6);
}
