import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
import { processFacts } from '@understudy/shared/runtime/child';
import { messageOf } from '@understudy/shared/runtime/errors';

/**
 * How the kernel shares a busy processor: from 20 (gives way to all) to -20, 0 where nothing is said. Whoever decides
 * on the role, and a controller that serves, go before jobs, rehearsals and backups on the same host; at -10 they get
 * about nine times the share of one at 0, and no more than they need. Other cluster software goes farther and takes a
 * real-time class (corosync.conf(5), `sched_rr`), where a loop of its own would stop the host.
 */
const RAISED = -10;

/** That of this process when it began. */
const usual = getPriority();

/**
 * Lets all threads of a process go before others. Needs root, CAP_SYS_NICE, or a limit that allows it (`LimitNICE=` of
 * the unit). Null: done; else why not, and nothing depends on it.
 */
export function raisePriority(pid: number): string | null {
  const priority = Math.min(RAISED, usual);
  return refusalOf(() => {
    giveThreads(pid, priority);
    giveSession(pid, priority);
  });
}

/** Puts a child of ours, which inherits our priority, back to the usual one. Null: done; else why not. */
export function lowerPriority(pid: number): string | null {
  return refusalOf(() => giveThreads(pid, usual));
}

function giveThreads(pid: number, priority: number): void {
  // The kernel knows it by thread; one that begins later has that of the thread that began it.
  for (const thread of readdirSync(`/proc/${pid}/task`)) setPriority(Number(thread), priority);
}

/**
 * Where each session is a group with a share of its own, the priority of a thread counts within its session only, and
 * that of the session counts beside others (sched(7), autogroup). A new session begins with the usual one.
 */
function giveSession(pid: number, priority: number): void {
  const path = `/proc/${pid}/autogroup`;
  // In the session of somebody else it is not ours to set.
  if (processFacts(pid)?.session === pid && existsSync(path)) writeFileSync(path, `${priority}`);
}

/** Null: it was done; else why not. */
function refusalOf(act: () => void): string | null {
  try {
    act();
    return null;
  } catch (error) {
    return messageOf(error);
  }
}
