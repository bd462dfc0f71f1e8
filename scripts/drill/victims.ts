import { readdirSync } from 'node:fs';
import { OWNER_VARIABLE, ownerMark } from '@understudy/heartbeat/supervise/predecessor';
import { isAlive, type ProcessId, processId, readProc } from '@understudy/shared/runtime/child';
import { UserError } from '@understudy/shared/runtime/errors';
import type { HeartbeatStatus } from '../cli/client/heartbeat-status.ts';

/** The processes of one node, proven to be those and to run on this host. */
export interface Victims {
  readonly heartbeat: ProcessId;
  readonly controller: ProcessId;
}

/**
 * Finds the processes of an active node by the pids that its heartbeat tells, and makes sure of them: the
 * controller carries the mark of that very incarnation in its environment, the heartbeat is its parent and
 * was started as one. Throws `UserError` otherwise: a pid of another host means something else here.
 */
export function findVictims(status: HeartbeatStatus): Victims {
  const { pair, node, incarnation, pid, controller } = status;
  const controllerPid = controller?.pid ?? null;
  if (controllerPid === null || pid == null || incarnation == null) {
    throw new UserError(`the heartbeat of ${node} does not tell the pids of its processes`);
  }
  const mark = `${OWNER_VARIABLE}=${ownerMark(pair, node, incarnation)}`;
  const found = processId(controllerPid);
  const parent = processId(pid);
  const isOurs = environmentOf(controllerPid).includes(mark) && parentOf(controllerPid) === pid;
  if (found === null || parent === null || !isOurs || !isHeartbeat(pid)) {
    throw new UserError(
      `the active controller (${node}, pid ${controllerPid}) is not a process of this host, ` +
        `or not one that this user may look at; run the drill on the host of ${node}`,
    );
  }
  return { heartbeat: parent, controller: programOf(found) };
}

/** Sends a signal to exactly that process, never to another one that got its pid. False: it is gone. */
export function signal(victim: ProcessId, name: NodeJS.Signals): boolean {
  if (!isAlive(victim)) return false;
  process.kill(victim.pid, name);
  return true;
}

/** The direct children of a process; the kernel lists them by the thread that started them. */
export function childrenOf(pid: number): readonly number[] {
  const lists = threadsOf(pid).map((id) => readProc(`/proc/${pid}/task/${id}/children`) ?? '');
  return lists.flatMap((text) => text.split(' ').filter(Boolean).map(Number));
}

function threadsOf(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    // It is gone.
    return [];
  }
}

/** Words of the command line of a process. */
export function commandOf(pid: number): readonly string[] {
  return (readProc(`/proc/${pid}/cmdline`) ?? '').split('\0').filter(Boolean);
}

/** A wrapped program runs below its guard: it is what users mean by the controller. */
function programOf(controller: ProcessId): ProcessId {
  const isGuard = commandOf(controller.pid).some((word) => word.endsWith('/guard/main.js'));
  const [child] = isGuard ? childrenOf(controller.pid) : [];
  return (child === undefined ? null : processId(child)) ?? controller;
}

function isHeartbeat(pid: number): boolean {
  const words = commandOf(pid);
  return words.includes('heartbeat') || words.includes('start');
}

function environmentOf(pid: number): readonly string[] {
  return (readProc(`/proc/${pid}/environ`) ?? '').split('\0');
}

function parentOf(pid: number): number {
  const stat = readProc(`/proc/${pid}/stat`) ?? '';
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}
