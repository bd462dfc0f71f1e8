import { readFileSync, readlinkSync } from 'node:fs';
import { processId } from '@understudy/shared/runtime/child';

/** Where a heartbeat runs: enough for another one to tell whether it is alive, if it shares the host. */
export interface ProcessIdentity {
  /** This boot of this kernel, and this pid namespace: within it a pid with its start time is unique. */
  readonly bootId: string;
  readonly pid: number;
  readonly pidStart: string;
}

/** The identity of this process. */
export function ownIdentity(): ProcessIdentity {
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  const namespace = readlinkSync('/proc/self/ns/pid');
  return {
    bootId: `${boot} ${namespace}`,
    pid: process.pid,
    pidStart: processId(process.pid)?.startTime ?? '0',
  };
}
