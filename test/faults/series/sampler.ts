import { readdirSync } from 'node:fs';
import { readProc } from '@understudy/shared/runtime/child';
import { childrenOf } from '../../support/cluster/proc.ts';
import type { Cluster } from '../../support/cluster.ts';
import type { Sample } from '../../support/invariants/resources.ts';

const EVERY_MS = 1_000;

/** Looks every second at what each process of ours uses. */
export function startSampler(cluster: Cluster): { samples: readonly Sample[]; stop(): void } {
  const samples: Sample[] = [];
  const look = () => {
    const programs = [
      ...cluster.hosts.map((host) => ({ name: `host ${host.node}`, program: host.heartbeat })),
      ...[...cluster.agents].map(([name, { program }]) => ({ name: `agent ${name}`, program })),
    ];
    for (const { name, program } of programs.filter((each) => each.program.running)) {
      for (const pid of [program.pid, ...childrenOf(program.pid)]) {
        const sample = sampleOf(pid, `${name}, process ${pid}`);
        if (sample !== null) samples.push(sample);
      }
    }
  };
  const timer = setInterval(look, EVERY_MS);
  return { samples, stop: () => clearInterval(timer) };
}

const PAGE_BYTES = 4_096;

function sampleOf(pid: number, process: string): Sample | null {
  const pages = readProc(`/proc/${pid}/statm`)?.split(' ')[1];
  if (pages === undefined) return null;
  try {
    const descriptors = readdirSync(`/proc/${pid}/fd`).length;
    return { process, memoryBytes: Number(pages) * PAGE_BYTES, descriptors };
  } catch {
    // It ended between the two looks.
    return null;
  }
}
