import type { Clock } from '@understudy/shared/runtime/clock';

const TICK_MS = 1_000;

/**
 * Watches for a suspension of this host: the wall clock then moves on while the monotonic clock may not,
 * so the two disagree by more than `marginMs` between two ticks. A corrected wall clock looks the same,
 * which costs one needless renewal.
 */
export function watchSuspension(
  clock: Clock,
  marginMs: number,
  onSuspended: () => void,
): { stop(): void } {
  const offset = () => clock.wallMs() - clock.monotonicMs();
  let last = offset();
  const timer = setInterval(() => {
    const present = offset();
    if (Math.abs(present - last) > marginMs) onSuspended();
    last = present;
  }, TICK_MS);
  return { stop: () => clearInterval(timer) };
}
