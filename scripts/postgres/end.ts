import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { isAlive, type ProcessId, processId, readProc } from '@understudy/shared/runtime/child';

const STOP_WITHIN_MS = 10_000;
const LOOK_EVERY_MS = 20;

/**
 * Ends a server and waits until nothing of it is left. A postmaster that had to be killed leaves its children
 * behind for a while, and as long as one of them holds the shared memory no other one starts on the same data.
 */
export async function endServer(server: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const children = childrenOf(server.pid);
  for (const each of [signal, 'SIGQUIT', 'SIGKILL'] as const) {
    if (hasEnded(server)) break;
    const ended = once(server, 'exit', { signal: AbortSignal.timeout(STOP_WITHIN_MS) });
    server.kill(each);
    await ended.catch(() => undefined);
  }
  for (const child of children.filter(isAlive)) kill(child);
  const deadline = performance.now() + STOP_WITHIN_MS;
  while (children.some(isAlive) && performance.now() < deadline) await delay(LOOK_EVERY_MS);
}

export function hasEnded(server: ChildProcess): boolean {
  return server.exitCode !== null || server.signalCode !== null;
}

function kill({ pid }: ProcessId): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    // It ended by itself in this moment.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function childrenOf(pid: number | undefined): ProcessId[] {
  const pids = readProc(`/proc/${pid}/task/${pid}/children`)?.trim().split(' ') ?? [];
  return pids.flatMap((child) => processId(Number(child)) ?? []);
}
