import { messageOf } from '@understudy/shared/runtime/errors';
import type { WriterLane } from './store/lane.ts';
import type { Reader } from './store/reader.ts';

export interface WarmOptions {
  readonly lane: WriterLane;
  readonly reader: Reader;
  readonly onReady: () => void;
  readonly onNotReady: (reasons: string[]) => void;
}

/** Tables that must be there before this controller can serve. */
const CHECK = 'select from job, run, attempt, run_log, agent, event, fence limit 0';
const CHECK_TIMEOUT_MS = 2_000;
const CHECK_EVERY_MS = 10_000;
const RETRY_EVERY_MS = 1_000;

/**
 * Keeps a passive controller's connections open, and says whether it could take over. While all is well it
 * asks the database once in ten seconds; a connection that ends is noticed at once.
 */
export function keepWarm(options: WarmOptions): { stop(): void } {
  const { lane, reader } = options;
  let timer: NodeJS.Timeout | null = null;
  let isStopped = false;
  let said: string | null | undefined;
  let isChecking = false;

  const check = async (): Promise<void> => {
    if (isStopped || isChecking) return;
    isChecking = true;
    if (timer !== null) clearTimeout(timer);
    const problem = await problemOf(lane, reader);
    isChecking = false;
    if (isStopped) return;
    if (problem !== said) {
      if (problem === null) options.onReady();
      else options.onNotReady([problem]);
    }
    said = problem;
    timer = setTimeout(() => void check(), problem === null ? CHECK_EVERY_MS : RETRY_EVERY_MS);
  };

  lane.onLost = () => void check();
  void check();
  return {
    stop: () => {
      isStopped = true;
      lane.onLost = () => undefined;
      if (timer !== null) clearTimeout(timer);
    },
  };
}

async function problemOf(lane: WriterLane, reader: Reader): Promise<string | null> {
  try {
    const isNew = !lane.isConnected;
    await lane.ask(CHECK, CHECK_TIMEOUT_MS);
    if (isNew) await reader.warm();
    return null;
  } catch (error) {
    return `the database can't be used: ${messageOf(error)}`;
  }
}
