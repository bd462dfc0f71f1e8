import { setTimeout as delay } from 'node:timers/promises';
import type { VirtualAddress } from '@understudy/shared/runtime/config/types';
import { exitCodes, UserError } from '@understudy/shared/runtime/errors';
import { addressProblems } from './facts.ts';

export interface AwaitFitOptions {
  readonly addresses: readonly VirtualAddress[];
  readonly onWaiting: (reason: string) => void;
  readonly signal: AbortSignal;
}

const LOOK_EVERY_MS = 1_000;

/**
 * Resolves when the addresses can be added, removed and announced on this host. Interfaces are waited for: when a
 * host starts they may come late. Throws `UserError` (exit code 78) for what has to be mended first.
 */
export async function awaitFitForAddresses(options: AwaitFitOptions): Promise<void> {
  const { addresses, onWaiting, signal } = options;
  while (!signal.aborted) {
    const problems = await addressProblems(addresses);
    if (problems.length === 0) return;
    const lines = problems.map(({ problem, advice }) => `  ${problem}; ${advice}`);
    if (problems.some(({ what }) => what !== 'interface')) {
      const head = 'this host is not fit for the virtual addresses (vip); nothing was started:';
      throw new UserError([head, ...lines].join('\n'), exitCodes.badConfig);
    }
    onWaiting(problems.map(({ problem }) => problem).join('; '));
    await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}
