import { Agent, get } from 'node:http';
import { formatTerm, type Term } from '@understudy/shared/kernel/term';
import { UNREADY_HEADER } from '@understudy/shared/protocol/tenure';
import type {
  ControllerHostConfig,
  HealthConfig,
  Listen,
} from '@understudy/shared/runtime/config/types';
import { messageOf } from '@understudy/shared/runtime/errors';
import type { ControllerProcess } from './controller-process.ts';

export interface HealthOptions {
  readonly controller: Pick<ControllerProcess, 'pid' | 'ageMs' | 'probe'>;
  readonly config: HealthConfig;
  /** How long a probe over the channel may take; see `probeTimeoutMs`. */
  readonly probeTimeoutMs: number;
  /** Where the built-in controller listens; null for a wrapped program, whose guard checks it. */
  readonly listen: Listen | null;
  /** The term under which it serves now; null while it doesn't. */
  readonly servingTerm: () => Term | null;
  readonly onUnhealthy: (detail: string) => void;
  /** Each check: what was wrong, null when nothing was, and how many in a row were bad. */
  readonly onChecked?: (problem: string | null, failures: number) => void;
}

/** While it is only warm, the controller is checked this many times more rarely. */
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
  const { config, controller } = options;
  let timer: NodeJS.Timeout | null = null;
  let stopped = false;
  let failures = 0;
  const readyz = makeReadyzCheck(options);

  const round = async (): Promise<void> => {
    const pid = controller.pid;
    const term = options.servingTerm();
    const isInDoubt = failures > 0 && term !== null && readyz !== null;
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
    if (term !== null && readyz !== null) return readyz(term);
    const probe = await controller.probe(options.probeTimeoutMs);
    if (probe === null) return `it did not answer within ${options.probeTimeoutMs} ms`;
    return probe.healthy ? null : probe.problems.join('; ');
  };

  /** The interval is counted from start to start: after a check that timed out the next one comes at once. */
  const plan = (spentMs: number): void => {
    if (stopped) return;
    const factor = options.servingTerm() === null ? WARM_FACTOR : 1;
    timer = setTimeout(
      () => {
        const startedAt = performance.now();
        void round().finally(() => plan(performance.now() - startedAt));
      },
      Math.max(0, config.everyMs * factor - spentMs),
    );
  };
  plan(0);
  return {
    stop: () => {
      stopped = true;
      if (timer !== null) clearTimeout(timer);
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

/**
 * One check of so many asks on a connection of its own, as users do: a controller that can't take any more
 * (no descriptors left) still answers on those that it has. After a bad check all are made like that.
 */
const FRESH_EVERY = 4;

/** By bare `node:http`: it is asked several times a second for ever, and costs a quarter of what axios does. */
function makeReadyzCheck(options: HealthOptions): ((term: Term) => Promise<string | null>) | null {
  const { listen, config } = options;
  if (listen === null) return null;
  const agent = new Agent({ keepAlive: true, maxSockets: 2 });
  const url = new URL(`http://${loopbackOf(listen.host)}:${listen.port}/readyz`);
  let checks = 0;
  let isInDoubt = false;
  return (term) =>
    new Promise((resolve) => {
      checks += 1;
      const isFresh = isInDoubt || checks % FRESH_EVERY === 0;
      const request = get(url, { agent: isFresh ? false : agent }, (response) => {
        response.resume();
        const seen = String(response.headers['understudy-term'] ?? 'none');
        const unready = response.headers[UNREADY_HEADER];
        // Anything may listen on a port: only our own controller answers under our term.
        const problem =
          response.statusCode !== 200
            ? `its port answers ${response.statusCode}${unready === undefined ? '' : `: ${String(unready)}`}`
            : seen === formatTerm(term)
              ? null
              : `its port answers under term ${seen}, not ${term}`;
        finish(problem);
      });
      const timer = setTimeout(() => {
        finish(`its port does not answer within ${config.timeoutMs} ms`);
        request.destroy();
      }, config.timeoutMs);
      const finish = (problem: string | null) => {
        clearTimeout(timer);
        isInDoubt = problem !== null;
        resolve(problem);
      };
      request.on('error', (error) => finish(`its port does not answer: ${messageOf(error)}`));
    });
}

/** The address by which this host reaches a port that it listens on itself. */
export function loopbackOf(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}
