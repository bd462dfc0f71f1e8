import { execFileSync } from 'node:child_process';

/** Lets a process open nothing more; what it has open stays (util-linux). */
export function limitDescriptors(pid: number): void {
  // The first three are taken, for the whole of its life.
  execFileSync('prlimit', ['--pid', `${pid}`, '--nofile=3:3']);
}
