import type { ControllerHostConfig } from '@understudy/shared/runtime/config/types';
import type { RoleOptions } from './role/state.ts';

const MIN_SERVE_WITHIN_MS = 5_000;
/** How long an old controller passes on what still comes to it: until every address has moved. */
const FORWARD_MS = 5_000;

/** What the role machine is told of the configuration. */
export function roleOptions(config: ControllerHostConfig, incarnation: string): RoleOptions {
  const { timers, failover } = config;
  const serveWithinMs = Math.max(MIN_SERVE_WITHIN_MS, 4 * timers.activateWithinMs);
  const startsLate = isWrapped(config) || config.controller.standby === 'cold';
  return {
    self: { node: config.node, incarnation },
    ttlMs: timers.ttlMs,
    renewEveryMs: timers.renewEveryMs,
    callTimeoutMs: timers.callTimeoutMs,
    marginMs: timers.marginMs,
    pollEveryMs: timers.pollEveryMs,
    clockRateBound: timers.clockRateBound,
    serveWithinMs,
    drainMs: config.controller.stopTimeoutMs,
    standby: config.controller.standby,
    peers: config.heartbeat.peers,
    mode: failover.mode,
    failbackMs: failover.preferred ? failover.failbackMs : null,
    canHold: !isWrapped(config),
    holdMs: failover.holdTimeoutMs,
    // A program that has yet to start needs as long as after a claim.
    serveHandedOverWithinMs: startsLate ? serveWithinMs : 4 * timers.activateWithinMs,
    forwardMs: FORWARD_MS,
    limit: { claims: failover.limit, windowMs: failover.windowMs },
  };
}

/** Whether a program of the user's stands in place of the built-in controller. */
export function isWrapped(config: ControllerHostConfig): boolean {
  return config.controller.command.length > 0;
}
