import { readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { isAlive, type ProcessId, processId, readProc } from '@understudy/shared/runtime/child';
import { UserError } from '@understudy/shared/runtime/errors';
import type { Log } from '@understudy/shared/runtime/log';

/** The environment variable that marks a controller and all it starts. */
export const OWNER_VARIABLE = 'UNDERSTUDY_OWNER';

/** The mark of one incarnation's processes: `<pair>/<node>/<incarnation>`. */
export function ownerMark(pair: string, node: string, incarnation: string): string {
  return `${pair}/${node}/${incarnation}`;
}

export interface PredecessorOptions {
  readonly pair: string;
  readonly node: string;
  readonly incarnation: string;
  readonly log: Log;
  readonly withinMs: number;
}

/**
 * Makes sure that nothing runs any more of what earlier incarnations of this node started on this host:
 * finds their processes by the mark in their environment, kills them, and waits until they are gone.
 * Throws `UserError` when one survives SIGKILL (stuck in the kernel): then nobody may say that it is dead.
 */
export async function endPredecessors(options: PredecessorOptions): Promise<number> {
  const found = findMarked(options);
  for (const process of found) {
    options.log.warn('ends what an earlier heartbeat of this node left behind', {
      pid: process.pid,
    });
    kill(process);
  }
  const tries = Math.ceil(options.withinMs / 10);
  for (let i = 0; i < tries && found.some(isAlive); i++) await delay(10);
  const survivor = found.find(isAlive);
  if (survivor !== undefined) {
    throw new UserError(
      `process ${survivor.pid} of an earlier heartbeat of node ${options.node} survives SIGKILL: ` +
        'its tenure cannot be declared over; look at it, or restart this host',
    );
  }
  return found.length;
}

function findMarked(options: PredecessorOptions): readonly ProcessId[] {
  const prefix = `${OWNER_VARIABLE}=${ownerMark(options.pair, options.node, '')}`;
  const own = `${OWNER_VARIABLE}=${ownerMark(options.pair, options.node, options.incarnation)}`;
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => {
      const environment = readProc(`/proc/${name}/environ`) ?? '';
      return environment.split('\0').some((entry) => entry.startsWith(prefix) && entry !== own);
    })
    .map((name) => processId(Number(name)))
    .filter((id) => id !== null);
}

function kill(target: ProcessId): void {
  // The identity is read again right before the signal: the pid may belong to somebody else by now.
  if (!isAlive(target)) return;
  try {
    process.kill(target.pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
