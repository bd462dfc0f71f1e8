import { worstCases } from '@understudy/shared/kernel/promise';
import type { ControllerHostConfig } from '@understudy/shared/runtime/config/types';

/** How fast a load balancer looks and tries, in milliseconds. */
export interface Pace {
  readonly checkEveryMs: number;
  /** Of a server whose state is changing. */
  readonly checkFastMs: number;
  readonly checkTimeoutMs: number;
  /** How long a connection may take, and how long to wait before it is tried again. */
  readonly connectMs: number;
  /** How long a request waits while nobody is active: what the pair promises, and some more. */
  readonly waitMs: number;
  /** So many tries fill `waitMs`. */
  readonly retries: number;
}

/**
 * Derived from the settings of the pair. Looking faster than the pair changes gains nothing: a request that
 * meets a closed port is tried again, so the checks only spare it the detour.
 */
export function paceOf(
  config: Pick<ControllerHostConfig, 'timers' | 'controller' | 'failover'>,
): Pace {
  const { timers, controller, failover } = config;
  const tenth = failover.targetMs / 10;
  const checkEveryMs = between(100, tenth, 1_000);
  const connectMs = between(100, tenth, 500);
  const promised = worstCases({
    timers,
    health: controller.health,
    holdMs: failover.holdTimeoutMs,
  });
  const longestMs = Math.max(...promised.map(({ worstMs }) => worstMs));
  const retries = Math.ceil((longestMs + failover.targetMs) / connectMs);
  return {
    checkEveryMs,
    checkFastMs: between(50, checkEveryMs / 2, 500),
    checkTimeoutMs: between(500, failover.targetMs / 2, 2_000),
    connectMs,
    waitMs: retries * connectMs,
    retries,
  };
}

function between(least: number, ms: number, most: number): number {
  return Math.round(Math.min(most, Math.max(least, ms)));
}
