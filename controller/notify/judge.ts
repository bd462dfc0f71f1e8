import { type BackoffOptions, backoffMs } from '@understudy/shared/kernel/backoff';
import type { DeliveryOutcome, PendingDelivery } from '../store/hook-records.ts';
import type { Sent } from './send.ts';

export interface JudgeOptions {
  readonly hook: string;
  readonly giveUpAfterMs: number;
  /** In [0, 1): spreads what failed together. */
  readonly jitter: number;
}

/** Between one try and the next: a second at first, ten minutes at most. */
const RETRY: BackoffOptions = { firstMs: 1_000, factor: 2, maxMs: 600_000 };
const MOST_SAID = 500;

/** What follows from one try: 2xx is the only success; it is given up once there is no time for another. */
export function judge(
  delivery: PendingDelivery,
  sent: Sent,
  options: JudgeOptions,
): DeliveryOutcome {
  const { hook, giveUpAfterMs, jitter } = options;
  const attempts = delivery.attempts + 1;
  const status = sent.type === 'answered' ? sent.status : null;
  const tried = { hook, id: delivery.id, attempts, status };
  if (status !== null && status >= 200 && status < 300) {
    return { ...tried, state: 'delivered', pauseMs: 0, problem: null };
  }
  const problem = sent.type === 'failed' ? sent.problem.slice(0, MOST_SAID) : `answered ${status}`;
  const pauseMs = Math.round(backoffMs(RETRY, delivery.attempts, jitter));
  const isOver = delivery.ageMs + pauseMs > giveUpAfterMs;
  return { ...tried, state: isOver ? 'given-up' : 'pending', pauseMs, problem };
}
