import { readdirSync } from 'node:fs';
import { readProc } from '@understudy/shared/runtime/child';
import type { Host } from '../../support/cluster/host.ts';
import { childrenOf, listeningPorts } from '../../support/cluster/proc.ts';
import type { Cluster } from '../../support/cluster.ts';
import type { Sample } from '../../support/invariants/resources.ts';

const EVERY_MS = 1_000;

/**
 * Looks every second at what each process of ours uses. What a host's processes need depends on its role (an
 * active holds connections of agents and of the pool), so each role is a line of samples of its own.
 */
export function startSampler(cluster: Cluster): { samples: readonly Sample[]; stop(): void } {
  const samples: Sample[] = [];
  const look = () => {
    const ports = listeningPorts();
    const programs = [
      ...cluster.hosts.map((host) => ({ name: nameOf(host, ports), program: host.heartbeat })),
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

/** An open port tells of a frozen controller, too, and of one whose heartbeat does not answer. */
function nameOf({ node, options }: Host, ports: ReadonlySet<number>): string {
  const isServing = ports.has(Number(new URL(options.controllerUrl).port));
  return `host ${node} ${isServing ? 'serving' : 'standing by'}`;
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
