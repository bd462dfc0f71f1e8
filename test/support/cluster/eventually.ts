import { setTimeout as delay } from 'node:timers/promises';

export interface EventuallyOptions {
  /** What is waited for, as it should read after "waited in vain for". */
  readonly what: string;
  readonly withinMs?: number;
  readonly everyMs?: number;
}

/** Generous: a busy machine must not fail a test, and a broken system must not hang it. */
const WITHIN_MS = 60_000;

/** Asks again and again until there is an answer other than null; throws when the time is over. */
export async function eventually<T>(
  ask: () => Promise<T | null> | T | null,
  options: EventuallyOptions,
): Promise<T> {
  const { what, withinMs = WITHIN_MS, everyMs = 25 } = options;
  const deadline = performance.now() + withinMs;
  let problem: unknown = null;
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== null) return answer;
    } catch (error) {
      problem = error;
    }
    if (performance.now() > deadline) {
      throw new Error(`waited ${withinMs} ms in vain for ${what}`, { cause: problem });
    }
    await delay(everyMs);
  }
}

/** Lets a fault last. The only place where a test waits for time and not for an event. */
export async function faultLasts(ms: number): Promise<void> {
  await delay(ms);
}
