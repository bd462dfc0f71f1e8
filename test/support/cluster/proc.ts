import { readdirSync, readlinkSync } from 'node:fs';
import { readProc } from '@understudy/shared/runtime/child';
import type { SeenProcess } from '../invariants/processes.ts';

/** Every process whose environment carries this marker, zombies left out: theirs is empty. */
export function processesMarked(marker: string): SeenProcess[] {
  return pids()
    .filter((pid) => environmentOf(pid).some((entry) => entry.includes(marker)))
    .map(seen);
}

/** The threads of a process, as the kernel numbers them. */
export function threadsOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).map(Number);
}

/** The processes that a process has started and that still have it as parent. */
export function childrenOf(parent: number): number[] {
  return pids().filter((pid) => Number(statOf(pid)[1]) === parent);
}

/** The processes whose working folder lies in this one, orphans among them: a PostgreSQL works in its data. */
export function processesIn(folder: string): SeenProcess[] {
  return pids()
    .filter((pid) => workingFolderOf(pid)?.startsWith(`${folder}/`))
    .map(seen);
}

/** The TCP ports of IPv4 on this machine that somebody listens on. */
export function listeningPorts(): ReadonlySet<number> {
  const rows = (readProc('/proc/net/tcp') ?? '').trim().split('\n').slice(1);
  const listening = rows
    .map((row) => row.trim().split(/\s+/))
    .filter(([, , , state]) => state === LISTEN);
  return new Set(listening.map(([, local = '']) => Number.parseInt(local.split(':')[1] ?? '', 16)));
}

/** A state of a socket, as proc(5) has it in /proc/net/tcp. */
const LISTEN = '0A';

export function seen(pid: number): SeenProcess {
  const mark = environmentOf(pid).find((entry) => /^UNDERSTUDY_(?:AGENT_)?OWNER=/.test(entry));
  return {
    pid,
    state: statOf(pid)[0] ?? 'X',
    owner: mark?.slice(mark.indexOf('=') + 1) ?? null,
  };
}

/** Sends a signal; a process that is gone already is fine. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function pids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** Null: it has gone, or is not ours to look at. */
function workingFolderOf(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return null;
  }
}

function environmentOf(pid: number): string[] {
  return (readProc(`/proc/${pid}/environ`) ?? '').split('\0');
}

/** State, parent, group and so on: the fields after the command's name. */
function statOf(pid: number): string[] {
  const stat = readProc(`/proc/${pid}/stat`) ?? '';
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}
