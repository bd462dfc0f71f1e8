import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '../../support/cluster/client.ts';
import { eventually } from '../../support/cluster/eventually.ts';
import { processesMarked } from '../../support/cluster/proc.ts';
import { type Cluster, termOf } from '../../support/cluster.ts';
import { followingFaults } from '../../support/invariants/agents.ts';
import { growthFaults, type Sample } from '../../support/invariants/resources.ts';
import { servingFaults } from '../../support/invariants/service.ts';
import { doubleStarts, unfinished } from '../../support/invariants/work.ts';
import { startLines } from '../jobs.ts';
import type { StoreHistory } from '../store-history.ts';
import type { Load } from './load.ts';

export interface Evidence {
  readonly cluster: Cluster;
  readonly store: StoreHistory;
  readonly client: Client;
  readonly load: Load;
  readonly samples: readonly Sample[];
}

/** All of a series is under way at once: what waits for it waits longer than for one fault. */
const OVER_WITHIN_MS = 120_000;
/** V8 gives memory back when it likes; a leak of a series is larger. */
const LIMITS = { memoryGrowthBytes: 80e6, descriptorGrowth: 25 };

/** Heals, waits until all is quiet, ends everything, and says what was not as it should be. */
export async function judgeSeries(evidence: Evidence, stopSampling: () => void): Promise<string[]> {
  const { cluster, store, client, load, samples } = evidence;
  cluster.heal();
  for (const host of cluster.hosts) if (!host.heartbeat.running) host.start();
  for (const agent of cluster.agents.values()) if (!agent.program.running) agent.start();
  const settled = await cluster.settled();
  await load.stop();
  await cluster.agentsConnected([...cluster.agents.keys()]);
  const rows = await runsOver(cluster);
  stopSampling();
  const found = [
    ...(await store.judge()),
    ...servingFaults(client.answers),
    ...doubleStarts(startLines(cluster), (id) => rows.get(id)?.job === 'once'),
    ...unfinished(
      [...load.keyed.values(), ...load.unkeyed],
      new Map([...rows].map(([id, { state }]) => [id, state])),
    ),
    ...keyFaults(load, rows),
    ...followingFaults(agentsOf(cluster), termOf(settled.activeStatus)),
    ...growthFaults(samples, LIMITS),
  ];
  return [...found, ...(await leftAfterTheEnd(cluster))];
}

interface RunRow {
  readonly id: string;
  readonly job: string;
  readonly state: string;
  readonly key: string | null;
}

/** Waits until no run is open, and gives all of them as the database has them. */
async function runsOver(cluster: Cluster): Promise<Map<string, RunRow>> {
  await eventually(
    async () => {
      const open = await cluster.query('select from understudy.run where finished_at is null');
      return open.length === 0 ? true : null;
    },
    { what: 'all runs to be over', withinMs: OVER_WITHIN_MS, everyMs: 500 },
  );
  const rows = await cluster.query<RunRow>(
    'select id, job, state, idempotency_key as key from understudy.run',
  );
  return new Map(rows.map((row) => [row.id, row]));
}

/** I6: one run for each key, the one that was answered; and none that nobody asked for. */
function keyFaults(load: Load, rows: ReadonlyMap<string, RunRow>): string[] {
  const found = [...load.keyed].flatMap(([key, id]) =>
    rows.get(id)?.key === key ? [] : [`I6: the run of ${key} was answered to be ${id}`],
  );
  const unasked = [...rows.values()].filter(({ key }) => key === null).length - load.unkeyedSent;
  return unasked > 0 ? [...found, `I6: ${unasked} runs exist that nobody asked for`] : found;
}

function agentsOf(cluster: Cluster) {
  return [...cluster.agents].map(([agent, { program }]) => ({
    agent,
    running: program.running,
    connected: true,
    term: BigInt(readFileSync(join(cluster.facts.folder, `${agent}.data`, 'term'), 'utf8').trim()),
  }));
}

/** I13: asked to stop, everything ends by itself, and nothing is left. */
async function leftAfterTheEnd(cluster: Cluster): Promise<string[]> {
  const programs = [
    ...[...cluster.agents.values()].map(({ program }) => program),
    ...cluster.hosts.map(({ heartbeat }) => heartbeat),
  ];
  for (const program of programs) {
    program.signal('SIGTERM');
    await program.ended;
  }
  return processesMarked(cluster.facts.pair)
    .filter(({ pid }) => pid !== process.pid)
    .map(({ pid, state }) => `I13: process ${pid} (${state}) is left after the end`);
}
