import { readdirSync, readFileSync } from 'node:fs';

/** What a process holds at this moment. */
export interface Footprint {
  readonly residentMb: number;
  readonly descriptors: number;
}

/** Reads what a process holds; its memory as the kernel counts it. */
export function footprintOf(pid: number): Footprint {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const residentKb = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
  return { residentMb: residentKb / 1024, descriptors: readdirSync(`/proc/${pid}/fd`).length };
}

/** How much more a process holds than before. */
export function more(now: Footprint, before: Footprint | undefined): Footprint {
  return {
    residentMb: now.residentMb - (before?.residentMb ?? 0),
    descriptors: now.descriptors - (before?.descriptors ?? 0),
  };
}
