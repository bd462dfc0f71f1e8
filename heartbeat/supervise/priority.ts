import { readdirSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
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
  return give(pid, Math.min(RAISED, usual));
}

/** Puts a child of ours, which inherits our priority, back to the usual one. Null: done; else why not. */
export function lowerPriority(pid: number): string | null {
  return give(pid, usual);
}

function give(pid: number, priority: number): string | null {
  try {
    // The kernel knows it by thread; one that begins later has that of the thread that began it.
    for (const thread of readdirSync(`/proc/${pid}/task`)) setPriority(Number(thread), priority);
    return null;
  } catch (error) {
    return messageOf(error);
  }
}
