import { existsSync, readdirSync } from 'node:fs';
import { readProc } from '@understudy/shared/runtime/child';
import type { Kin } from './kinship.ts';

/** The pids of all processes above one. */
export function allPids(above = 0): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid > above);
}

/** Those of these processes that live, as they are now. A zombie counts as gone. */
export function kinOf(pids: readonly number[]): Kin[] {
  return pids.flatMap((pid) => {
    const [state = 'X', parent, group, session, ...rest] = statOf(pid);
    if (state === 'Z' || state === 'X') return [];
    const numbers = { parent: Number(parent), group: Number(group), session: Number(session) };
    return [{ pid, startTime: rest[15] ?? '', ...numbers, environment: environmentOf(pid) }];
  });
}

/** When a process was started, in clock ticks since the boot, also one that has just ended. */
export function startTicksOf(pid: number): number {
  return Number(statOf(pid)[19] ?? 0);
}

/** Whether there is a process of this number, living or not yet taken note of. */
export function isThere(pid: number): boolean {
  return existsSync(`/proc/${pid}`);
}

/** The fields of /proc/PID/stat from the state on; none when it is gone. */
function statOf(pid: number): string[] {
  const stat = readProc(`/proc/${pid}/stat`);
  // The command name is in parentheses and may contain anything: fields are counted from the last one.
  return stat === null ? [] : stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function environmentOf(pid: number): () => string {
  let read: string | null = null;
  return () => {
    read ??= `\0${readProc(`/proc/${pid}/environ`) ?? ''}`;
    return read;
  };
}

/** The pid that was given out last. */
export function lastPid(): number {
  return Number(readProc('/proc/loadavg')?.trim().split(' ').at(-1) ?? 0);
}
