import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { killGroup } from '@understudy/shared/runtime/child';

/** Kills a process that was started by `spawnTied`, with its whole group, and waits until it is gone. */
export async function endGroup(child: ChildProcess | null): Promise<void> {
  if (child?.pid === undefined) return;
  const isGone = child.exitCode !== null || child.signalCode !== null;
  const gone = isGone ? null : once(child, 'exit');
  killGroup(child.pid, 'SIGKILL');
  await gone;
}
