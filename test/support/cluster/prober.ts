import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from './client.ts';

const EVERY_MS = 50;

/** Reads are less telling than writes, but they are answered from memory, without the store. */
const READ_EVERY_MS = 100;

export interface Prober {
  /** When committed writes were answered, nanoseconds of the monotonic clock. */
  readonly successes: readonly bigint[];
  stop(): Promise<void>;
}

/**
 * Writes to every controller twenty times a second, and reads from it, so that one that serves without
 * being active shows itself. The write is a job that never runs.
 */
export function startProber(client: Client, urls: readonly string[]): Prober {
  const successes: bigint[] = [];
  const stopped = new AbortController();
  const body = { name: 'probe', command: ['true'], paused: true };
  const forEver = async (everyMs: number, ask: () => Promise<void>) => {
    while (!stopped.signal.aborted) {
      await ask();
      await delay(everyMs, undefined, { signal: stopped.signal }).catch(() => undefined);
    }
  };
  const write = async (url: string) => {
    const answer = await client.ask(url, 'PUT', '/api/v1/jobs/probe', { body });
    if (answer?.served) successes.push(answer.served.receivedAt);
  };
  const loops = urls.flatMap((url) => [
    forEver(EVERY_MS, () => write(url)),
    forEver(READ_EVERY_MS, async () => void (await client.ask(url, 'GET', '/api/v1/pair'))),
  ]);
  return {
    successes,
    stop: async () => {
      stopped.abort();
      await Promise.all(loops);
    },
  };
}
