import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from './client.ts';

const EVERY_MS = 50;

export interface Prober {
  /** When committed writes were answered, nanoseconds of the monotonic clock. */
  readonly successes: readonly bigint[];
  stop(): Promise<void>;
}

/**
 * Writes to every controller twenty times a second, so that one that serves without being active
 * shows itself. The write is a job that never runs.
 */
export function startProber(client: Client, urls: readonly string[]): Prober {
  const successes: bigint[] = [];
  const stopped = new AbortController();
  const body = { name: 'probe', command: ['true'], paused: true };
  const loops = urls.map(async (url) => {
    while (!stopped.signal.aborted) {
      const answer = await client.ask(url, 'PUT', '/api/v1/jobs/probe', { body });
      if (answer?.served) successes.push(answer.served.receivedAt);
      await delay(EVERY_MS, undefined, { signal: stopped.signal }).catch(() => undefined);
    }
  });
  return {
    successes,
    stop: async () => {
      stopped.abort();
      await Promise.all(loops);
    },
  };
}
