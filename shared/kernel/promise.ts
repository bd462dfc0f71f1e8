import { SCHEDULING_SLACK_MS, type Timers } from './timers.ts';

/** What can interrupt the service, as the promise and the measurements name it. */
export const failures = [
  'controller-crash',
  'controller-freeze',
  'heartbeat-crash',
  'host-loss',
  'database-of-active',
  'switchover',
] as const;
export type Failure = (typeof failures)[number];

/** The settings that the promise follows from. */
export interface PromiseSettings {
  readonly timers: Timers;
  readonly health: {
    readonly everyMs: number;
    readonly timeoutMs: number;
    readonly failures: number;
  };
  /** How long the active may take to finish what is under way before a switch-over is called off. */
  readonly holdMs: number;
}

export interface WorstCase {
  readonly failure: Failure;
  /** The longest time without service, if the store answers within R and the peer is ready. */
  readonly worstMs: number;
  /** How it is put together, in the letters of PROTOCOL.md. */
  readonly formula: string;
}

/**
 * The worst case by the settings, per kind of failure. Counted from the last moment of service to the
 * first moment of the next, for a warm passive and a store that the next active reaches:
 *
 * - a free lease is noticed at the next poll at the latest (a NOTIFY is faster, but only a hint), read and
 *   claimed within R each, and S later served: `take = poll + 2R + S`;
 * - a crashed controller is reaped within the slack that a busy host needs, then the lease is released in R;
 * - a frozen one fails its checks first: the first begins E after the last good one, the next ones each
 *   max(E, H) later, the last takes H; then killing it takes G;
 * - silence lasts T (1 + rho) and then the same; nothing that falls silent is replaced later than that, so
 *   it also bounds a crash of the heartbeat and an active that alone lost the database;
 * - a switch-over holds requests for D at most, hands the lease over in R, and the new active renews (R)
 *   before it serves.
 */
export function worstCases({ timers, health, holdMs }: PromiseSettings): readonly WorstCase[] {
  const { ttlMs, callTimeoutMs: R, pollEveryMs, activateWithinMs, killWithinMs: G } = timers;
  const takeMs = pollEveryMs + 2 * R + activateWithinMs;
  const crashMs = SCHEDULING_SLACK_MS + R + takeMs;
  const { everyMs: E, timeoutMs: H, failures: N } = health;
  const detectMs = E + (N - 1) * Math.max(E, H) + H;
  const silenceMs = ttlMs * (1 + timers.clockRateBound) + takeMs;
  const silence = 'T (1 + rho) + poll + 2R + S';
  const crash = 'slack + R + poll + 2R + S';
  return [
    worst('controller-crash', crashMs, crash),
    worst(
      'controller-freeze',
      detectMs + G + crashMs,
      `E + (N - 1) max(E, H) + H + G + ${crash} (E every, H timeout, N failures of controller.health)`,
    ),
    worst('heartbeat-crash', silenceMs, silence),
    worst('host-loss', silenceMs, silence),
    worst('database-of-active', silenceMs, silence),
    worst(
      'switchover',
      holdMs + 2 * R + takeMs,
      'D + R + poll + 2R + R + S (D failover.holdTimeout)',
    ),
  ];
}

function worst(failure: Failure, ms: number, formula: string): WorstCase {
  return { failure, worstMs: Math.ceil(ms - 1e-6), formula };
}
