import type { Failure } from '@understudy/shared/kernel/promise';
import type { Term } from '@understudy/shared/kernel/term';

/** The end of a service: the last instant at which a node surely served, as it tells itself. */
export interface LastService {
  readonly node: string;
  readonly term: Term;
  /** Of our own monotonic clock, milliseconds. */
  readonly at: number;
  readonly how: ServiceEnd;
  /** Why it ended: the reason of the demotion, or `handed-over`. */
  readonly reason: string;
}

/** What marks the end of a service: the demotion, the last good check of a controller that hung, or a hold. */
export type ServiceEnd = 'demotion' | 'last-good-check' | 'hold';

/** The last sign of a holder that the lease itself gave. */
export interface LastRenewal {
  readonly node: string;
  readonly term: Term;
  readonly at: number;
}

export interface Takeover {
  /** Of the new service. */
  readonly term: Term;
  readonly basis: string;
  readonly servingAt: number;
  /** What nodes said of the end of their service, our own among them. */
  readonly told: readonly LastService[];
  /** The newest renewal that was seen of another node. */
  readonly lastRenewal: LastRenewal | null;
  /** When the store last failed the new active as well. */
  readonly storeTroubleAt: number;
}

/** How long nobody served, and how that is known. */
export interface Interruption {
  /** Null: a planned stop, or what it was is not known; nothing is promised for these. */
  readonly failure: Failure | null;
  readonly from: string | null;
  /** Null: nobody was seen to serve before, so there is nothing to count from. */
  readonly interruptedMs: number | null;
  readonly measured: `${ServiceEnd | 'last-renewal'}-to-serving` | 'not-seen';
}

/** Two nodes notice that the store is away at about the same time. */
const STORE_TROUBLE_NEAR_MS = 2_000;

/**
 * How long nobody served before this take-over. The word of the node that served before counts, because
 * it knows when it stopped; where it could not say anything, the last renewal that was seen does. That one
 * is seen up to one poll late, and the node may have served for a while after it.
 */
export function measureInterruption(takeover: Takeover): Interruption {
  const { term, servingAt, lastRenewal } = takeover;
  const earlier = takeover.told.filter((each) => each.term < term);
  const told = earlier.sort((a, b) => (a.term < b.term ? 1 : -1))[0] ?? null;
  const renewal = lastRenewal !== null && lastRenewal.term < term ? lastRenewal : null;
  if (told !== null && (renewal === null || told.term >= renewal.term)) {
    // A database that is away for all is another matter than one that only the active lost.
    const isForAll = takeover.storeTroubleAt >= told.at - STORE_TROUBLE_NEAR_MS;
    const failure = failureOf(takeover.basis, told.reason);
    return {
      failure: failure === 'database-of-active' && isForAll ? null : failure,
      from: told.node,
      interruptedMs: sinceMs(told.at, servingAt),
      measured: `${told.how}-to-serving`,
    };
  }
  if (renewal !== null) {
    return {
      failure: failureOf(takeover.basis, null),
      from: renewal.node,
      interruptedMs: sinceMs(renewal.at, servingAt),
      measured: 'last-renewal-to-serving',
    };
  }
  return { failure: null, from: null, interruptedMs: null, measured: 'not-seen' };
}

function failureOf(basis: string, reason: string | null): Failure | null {
  if (basis === 'handed-over') return 'switchover';
  // Whatever it was that made an operator use force.
  if (basis === 'forced') return null;
  switch (reason) {
    case 'handed-over':
    case 'asked-to-switch-over':
      return 'switchover';
    case 'controller-ended':
      return 'controller-crash';
    case 'controller-unhealthy':
      return 'controller-freeze';
    case 'lease-lost':
    case 'trust-ran-out':
    case 'store-reachable-by-peer':
      return 'database-of-active';
    case null:
      // Nobody said anything. A lease that was let go was let go by the next life of that heartbeat.
      return basis === 'silence' ? 'host-loss' : 'heartbeat-crash';
    default:
      return null;
  }
}

function sinceMs(at: number, now: number): number {
  return Math.max(0, Math.round(10 * (now - at)) / 10);
}
