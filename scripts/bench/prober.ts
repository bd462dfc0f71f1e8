import { request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { UserError } from '@understudy/shared/runtime/errors';

export interface Target {
  readonly host: string;
  readonly port: number;
}

export interface ProberOptions {
  readonly targets: readonly Target[];
  readonly path: string;
  readonly token: string;
}

/** Asks all the time; what counts is when an answer arrived, whichever target gave it. */
export interface Prober {
  /** Waits for the first answers, so that code and connections are warm. */
  warm(): Promise<void>;
  /** Forgets what was, and begins to look for the longest silence. */
  begin(): void;
  /** The longest time without a successful answer since `begin`, up to now. */
  longestSilenceMs(): number;
  stop(): void;
}

const EVERY_MS = 5;
const TIMEOUT_MS = 1_000;
const WARM_AFTER_ANSWERS = 20;
const WARM_WITHIN_MS = 30_000;

/**
 * Sends a request to each target every 5 ms, each over a connection of its own and without waiting for
 * the ones before: one that hangs does not stop the asking.
 */
export function startProber({ targets, path, token }: ProberOptions): Prober {
  let lastAnswerAt = performance.now();
  let longestMs = 0;
  let answers = 0;
  const note = () => {
    answers += 1;
    const now = performance.now();
    longestMs = Math.max(longestMs, now - lastAnswerAt);
    lastAnswerAt = now;
  };
  const ask = ({ host, port }: Target) => {
    const asked = request({
      ...{ host, port, path, agent: false },
      headers: { Authorization: `Bearer ${token}`, Connection: 'close' },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    // No answer is what is being measured.
    asked.on('error', () => undefined);
    asked.on('response', (response) => {
      response.on('error', () => undefined);
      response.on('end', () => {
        if (response.statusCode === 200 && response.complete) note();
      });
      response.resume();
    });
    asked.end();
  };
  const timer = setInterval(() => targets.forEach(ask), EVERY_MS);
  return {
    warm: async () => {
      const deadline = performance.now() + WARM_WITHIN_MS;
      while (answers < WARM_AFTER_ANSWERS) {
        if (performance.now() > deadline)
          throw new UserError('nobody answers where users would ask');
        await delay(EVERY_MS);
      }
    },
    begin: () => {
      lastAnswerAt = performance.now();
      longestMs = 0;
    },
    longestSilenceMs: () => Math.max(longestMs, performance.now() - lastAnswerAt),
    stop: () => clearInterval(timer),
  };
}
