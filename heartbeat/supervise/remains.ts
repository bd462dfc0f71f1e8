import { readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import {
  isAlive,
  killGroup,
  type ProcessFacts,
  type ProcessId,
  processFacts,
  readProc,
} from '@understudy/shared/runtime/child';

/** By what the processes of a controller that is over are known. */
export interface RemainsOptions {
  /** Whether an entry of a process's environment (`NAME=value`) marks it; null: environments are not read. */
  readonly isMark: ((entry: string) => boolean) | null;
  /** The controller's session, which has the number of its process; null when it is not known. */
  readonly session: number | null;
  /** Past this, who lives on although he was sent SIGKILL is reported: he is stuck in the kernel. */
  readonly withinMs: number;
  readonly onFound?: (process: ProcessId) => void;
}

export interface RemainsEnded {
  /** How many processes were found alive. */
  readonly found: number;
  /** One that still lives at the end of the time, if any. */
  readonly survivor: ProcessId | null;
}

const FIRST_PAUSE_MS = 2;
const LONGEST_PAUSE_MS = 100;

/**
 * Kills what a controller left behind, and looks again until nothing is found twice in a row: a process
 * may fork between a look and the kill, and shows no environment for the moment in which it executes a
 * program. Zombies count as dead; this process is never meant.
 *
 * A process is known by the mark in its environment, or by its session: that of the controller, or one that a
 * marked process leads or led. The session finds who overwrote his environment (setproctitle) or hides
 * it from us (another user's, or not dumpable). Not covered is who does that and left the session, too;
 * who runs on behalf of somebody else, like a service or a container that was asked to start it; and
 * what /proc does not show to us (hidepid). What may not be signalled counts as a survivor.
 */
export async function endRemains(options: RemainsOptions): Promise<RemainsEnded> {
  const known = new Set<string>();
  const endAt = performance.now() + options.withinMs;
  let sessions: ReadonlySet<number> = new Set(options.session === null ? [] : [options.session]);
  let cleanLooks = 0;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    for (const session of sessions) killAll(session);
    const found = look(options.isMark, sessions);
    cleanLooks = found.processes.length === 0 ? cleanLooks + 1 : 0;
    if (cleanLooks === 2) return { found: known.size, survivor: null };
    const survivor = found.processes.find((process) => known.has(keyOf(process))) ?? null;
    if (survivor !== null && performance.now() > endAt) return { found: known.size, survivor };
    for (const process of found.processes) {
      if (!known.has(keyOf(process))) options.onFound?.(process);
      known.add(keyOf(process));
      kill(process);
    }
    // The number of a session that has ended may be given to somebody else: only living ones are kept.
    sessions = found.sessions;
    if (cleanLooks === 0) await delay(pauseMs);
  }
}

function keyOf({ pid, startTime }: ProcessId): string {
  return `${pid} ${startTime}`;
}

interface Look {
  readonly processes: readonly ProcessFacts[];
  /** The sessions that they are in and that belong to nobody else. */
  readonly sessions: ReadonlySet<number>;
}

function look(isMark: RemainsOptions['isMark'], known: ReadonlySet<number>): Look {
  const living = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => processFacts(Number(name)))
    .filter((facts) => facts !== null);
  const pids = new Set(living.map(({ pid }) => pid));
  const others = living.filter(({ pid }) => pid !== process.pid);
  const marked = new Set(
    isMark === null ? [] : others.filter(({ pid }) => isMarked(pid, isMark)).map(({ pid }) => pid),
  );
  const own = processFacts(process.pid)?.session;
  const sessions = new Set(known);
  for (const { pid, session } of others) {
    // A marked process in the session of somebody else says nothing of the others in it.
    const isTheirs = marked.has(session) || !pids.has(session);
    if (marked.has(pid) && isTheirs) sessions.add(session);
  }
  // Ours, and those of who began outside this container or is its first process, mean more than them.
  for (const spared of [own, 0, 1]) if (spared !== undefined) sessions.delete(spared);
  const processes = others.filter(({ pid, session }) => marked.has(pid) || sessions.has(session));
  const inhabited = new Set(processes.map(({ session }) => session));
  return { processes, sessions: new Set([...sessions].filter((id) => inhabited.has(id))) };
}

function isMarked(pid: number, isMark: (entry: string) => boolean): boolean {
  return (readProc(`/proc/${pid}/environ`) ?? '').split('\0').some(isMark);
}

/** A group is killed at one stroke: nothing of it can fork meanwhile. A session's first group has its number. */
function killAll(session: number): void {
  ifAllowed(() => killGroup(session, 'SIGKILL'));
}

function kill(target: ProcessId): void {
  // The identity is read again right before the signal: the pid may belong to somebody else by now.
  if (!isAlive(target)) return;
  ifAllowed(() => process.kill(target.pid, 'SIGKILL'));
}

/** Who has ended meanwhile is fine, and who may not be signalled is seen to survive. */
function ifAllowed(signal: () => void): void {
  try {
    signal();
  } catch (error) {
    if (!['ESRCH', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}
