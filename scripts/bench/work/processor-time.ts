import { readProc } from '@understudy/shared/runtime/child';

/** How the kernel counts processor time: hundredths of a second. */
const MS_PER_TICK = 10;

/** Processor time that a process has used so far, in milliseconds. */
export function processorMs(pid: number): number {
  const stat = readProc(`/proc/${pid}/stat`);
  if (stat === null) return 0;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
}

/** The same of all processes that another one has started and that live. */
export function childrenMs(pid: number): number {
  return childrenOf(pid).reduce((sum, child) => sum + processorMs(child), 0);
}

/** The same of a process, of what it has started, and so on. */
export function familyMs(pid: number): number {
  return childrenOf(pid).reduce((sum, child) => sum + familyMs(child), processorMs(pid));
}

function childrenOf(pid: number): number[] {
  const children = readProc(`/proc/${pid}/task/${pid}/children`)?.trim() ?? '';
  return children === '' ? [] : children.split(' ').map(Number);
}

/** Memory that a process holds, in megabytes. */
export function residentMb(pid: number): number {
  const status = readProc(`/proc/${pid}/status`) ?? '';
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1_024;
}
