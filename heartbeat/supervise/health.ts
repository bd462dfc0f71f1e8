import type { Term } from '@understudy/shared/kernel/term';
import type {
  ControllerHostConfig,
  HealthConfig,
  Listen,
} from '@understudy/shared/runtime/config/types';
import type { ControllerProcess } from './controller-process.ts';
import { PortCheck } from './port-check.ts';

export interface HealthOptions {
  readonly controller: Pick<ControllerProcess, 'pid' | 'ageMs' | 'probe'>;
  readonly config: HealthConfig;
  /** How long a probe over the channel may take; see `probeTimeoutMs`. */
  readonly probeTimeoutMs: number;
  /** Where the built-in controller listens; null for a wrapped program, whose guard checks it. */
  readonly listen: Listen | null;
  /** Whether its port speaks TLS. */
  readonly isSecure: boolean;
  /** The term under which it serves now; null while it doesn't. */
  readonly servingTerm: () => Term | null;
  readonly onUnhealthy: (detail: string) => void;
  /** Each check: what was wrong, null when nothing was, and how many in a row were bad. */
  readonly onChecked?: (problem: string | null, failures: number) => void;
}

/** While it is only warm, the controller is checked this many times more rarely: from when it serves on, at once. */
const WARM_FACTOR = 4;
/** Loading takes a while, longer on a busy host: a process this young is not judged unless it serves. */
const START_GRACE_MS = 15_000;
/**
 * A bad check of a controller whose loop still turns counts this much: it is too busy, or its port is deaf,
 * but it is not frozen, and another one would be just as busy.
 */
const BUSY_WEIGHT = 0.25;

/**
 * Checks the controller deeply and without end: while it serves by its real port, whose answer needs its
 * event loop and a living scheduler and must come under our term; else, and for a wrapped program, over
 * the IPC channel. Only `failures` bad checks in a row count, each with a time limit of its own. From the
 * second on it is asked over the channel as well: one that answers there gets four times as long.
 */
export function watchHealth(options: HealthOptions): { stop(): void } {
  const { config, controller, listen } = options;
  let timer: NodeJS.Timeout | null = null;
  let stopped = false;
  let failures = 0;
  let ticks = 0;
  const port =
    listen === null
      ? null
      : new PortCheck({ listen, timeoutMs: config.timeoutMs, isSecure: options.isSecure });

  const round = async (): Promise<void> => {
    const pid = controller.pid;
    const term = options.servingTerm();
    const isInDoubt = failures > 0 && term !== null && port !== null;
    const [problem, probe] = await Promise.all([
      pid === null ? null : check(term),
      isInDoubt ? controller.probe(options.probeTimeoutMs) : null,
    ]);
    const isSame = pid === controller.pid && term === options.servingTerm();
    const isYoung = term === null && controller.ageMs < START_GRACE_MS;
    if (problem === null || !isSame || isYoung) failures = 0;
    else failures += probe?.healthy === true ? BUSY_WEIGHT : 1;
    if (pid !== null && isSame) options.onChecked?.(problem, failures);
    if (problem !== null && failures >= config.failures) {
      failures = 0;
      options.onUnhealthy(problem);
    }
  };

  const check = async (term: Term | null): Promise<string | null> => {
    if (term !== null && port !== null) return port.check(term);
    const probe = await controller.probe(options.probeTimeoutMs);
    if (probe === null) return `it did not answer within ${options.probeTimeoutMs} ms`;
    return probe.healthy ? null : probe.problems.join('; ');
  };

  /** The interval is counted from start to start: after a check that timed out the next one comes at once. */
  const plan = (spentMs: number): void => {
    if (stopped) return;
    timer = setTimeout(() => tick(), Math.max(0, config.everyMs - spentMs));
  };

  const tick = (): void => {
    ticks += 1;
    if (options.servingTerm() === null && ticks % WARM_FACTOR !== 0) return plan(0);
    const startedAt = performance.now();
    void round().finally(() => plan(performance.now() - startedAt));
  };
  plan(0);
  return {
    stop: () => {
      stopped = true;
      if (timer !== null) clearTimeout(timer);
      port?.stop();
    },
  };
}

/**
 * How long a probe may take: `health.timeout`, and for a wrapped program the time of its check before
 * that, for its guard answers when the check did.
 */
export function probeTimeoutMs(controller: ControllerHostConfig['controller']): number {
  const { command, check, health } = controller;
  const checkMs = command.length === 0 || check === null ? 0 : check.timeoutMs;
  return checkMs + health.timeoutMs;
}
