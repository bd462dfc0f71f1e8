import { randomUUID } from 'node:crypto';
import { linkSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { isAlive, processId, readProc } from '@understudy/shared/runtime/child';
import { exitCodes, UserError } from '@understudy/shared/runtime/errors';

interface Owner {
  readonly pid: number;
  readonly startTime: string;
  readonly boot: string;
}

/**
 * Takes the lock of a data folder for the life of this process. It names its owner by pid, start time
 * and boot, so that one left behind by a crash is recognised and taken over. A UserError when another
 * agent holds it. Returns the function that gives it back.
 */
export function takeLock(path: string): () => void {
  const mine = `${path}.${randomUUID()}`;
  writeFileSync(mine, JSON.stringify(ourselves()));
  try {
    while (!tryLink(mine, path)) {
      const held = read(path);
      if (held !== null && lives(held)) {
        throw new UserError(
          `the data folder is in use by another agent, pid ${held.pid} (${path}); each agent needs a folder of its own`,
          exitCodes.badConfig,
        );
      }
      moveAside(path, held);
    }
  } finally {
    unlinkSync(mine);
  }
  return () => {
    if (read(path)?.pid === process.pid) unlinkSync(path);
  };
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Removes a dead lock, unless someone else replaced it by a living one in the meantime. */
function moveAside(path: string, dead: Owner | null): void {
  const aside = `${path}.${randomUUID()}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  const moved = read(aside);
  if (moved !== null && JSON.stringify(moved) !== JSON.stringify(dead)) tryLink(aside, path);
  unlinkSync(aside);
}

function read(path: string): Owner | null {
  try {
    const owner = JSON.parse(readFileSync(path, 'utf8')) as Partial<Owner>;
    const { pid, startTime, boot } = owner;
    if (typeof pid !== 'number' || startTime === undefined || boot === undefined) return null;
    return { pid, startTime, boot };
  } catch {
    return null; // Gone, or not a lock: the next try decides.
  }
}

function lives(owner: Owner): boolean {
  return owner.boot === bootId() && isAlive(owner);
}

function ourselves(): Owner {
  const { pid } = process;
  return { pid, startTime: processId(pid)?.startTime ?? '', boot: bootId() };
}

/** Which boot of this host it is: pids and the monotonic clock mean something only within one. */
export function bootId(): string {
  return readProc('/proc/sys/kernel/random/boot_id')?.trim() ?? '';
}
