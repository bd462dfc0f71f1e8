import { startFront } from '@understudy/scripts/local/front';
import { Dice } from '../../sim/kernel/dice.ts';
import { controllerUrl } from '../../support/cluster/configs.ts';
import { faultLasts } from '../../support/cluster/eventually.ts';
import type { Owner } from '../../support/cluster/owner.ts';
import { type Cluster, makeCluster } from '../../support/cluster.ts';
import { openDecoding } from '../../support/decoding.ts';
import { longestGapMs } from '../../support/invariants/service.ts';
import { putTestJobs } from '../jobs.ts';
import { StoreHistory } from '../store-history.ts';
import { inflict } from './inflict.ts';
import { type Evidence, judgeSeries } from './judge.ts';
import { startLoad } from './load.ts';
import { type PlannedFault, planSeries } from './plan.ts';
import { startSampler } from './sampler.ts';

export interface SeriesOptions {
  readonly seed: number;
  readonly durationMs: number;
  /** Called with each thing that happens, as a sentence. */
  readonly tell: (text: string) => void;
}

/** What was done and what was found. No findings: all is well. */
export interface SeriesReport {
  readonly plan: readonly PlannedFault[];
  readonly findings: readonly string[];
  readonly summary: string;
}

const AGENTS = ['w1', 'w2', 'w3'];

/**
 * Runs a pair under load while faults that a seed has drawn befall it, heals everything, and judges the
 * whole history. The same seed draws the same faults; what they meet differs from run to run.
 */
export async function runSeries(owner: Owner, options: SeriesOptions): Promise<SeriesReport> {
  const { seed, durationMs, tell } = options;
  const cluster = await makeCluster(owner, {
    agents: AGENTS,
    linked: true,
    host: { failover: { target: '4s' }, agents: { lostAfter: '30s' } },
    agent: { retry: { every: '200ms', timeout: '250ms', limit: 1_000 } },
  });
  const store = new StoreHistory(await openDecoding(cluster.postgres.url));
  await cluster.start();
  await putTestJobs(cluster);
  const upstreams = cluster.facts.hosts.map((host) => ({
    host: '127.0.0.1',
    port: host.controllerPort,
  }));
  const front = await startFront({ port: 0, upstreams, waitMs: 1_000 });
  owner.teardown(() => front.close());
  const client = cluster.makeClient('series');
  owner.teardown(() => client.close());
  const nodes = cluster.facts.hosts.map(({ node }) => node);
  const plan = planSeries(seed, durationMs, { nodes, agents: AGENTS });
  const sampler = startSampler(cluster);
  owner.teardown(() => sampler.stop());
  const load = startLoad({
    client,
    front: `http://127.0.0.1:${front.port}`,
    controllers: cluster.facts.hosts.map(controllerUrl),
    dice: new Dice(seed + 1),
  });
  await carryOut(cluster, plan, tell);
  tell('all faults are over: heals');
  const evidence: Evidence = { cluster, store, client, load, samples: sampler.samples };
  const findings = await judgeSeries(evidence, () => sampler.stop());
  const successes = client.answers.map(({ receivedAt }) => receivedAt);
  const terms = new Set(client.answers.map(({ term }) => term)).size;
  const runs = load.keyed.size + load.unkeyed.length;
  const summary =
    `seed ${seed}: ${plan.length} faults, ${successes.length} answers, ${runs} acknowledged runs, ` +
    `${terms} terms, longest time without an answer ${Math.round(longestGapMs(successes))} ms, ` +
    `${findings.length} findings`;
  return { plan, findings, summary };
}

/** Begins each fault at its time, whatever the others do, and waits until all of them are over. */
async function carryOut(
  cluster: Cluster,
  plan: readonly PlannedFault[],
  tell: (text: string) => void,
): Promise<void> {
  const beganAt = performance.now();
  const problems: unknown[] = [];
  const underWay: Promise<void>[] = [];
  for (const fault of plan) {
    await faultLasts(Math.max(0, beganAt + fault.atMs - performance.now()));
    tell(`${fault.atMs} ms: ${describe(fault)}`);
    underWay.push(inflict(cluster, fault).catch((error) => void problems.push(error)));
  }
  await Promise.all(underWay);
  if (problems.length > 0) throw new AggregateError(problems, 'faults could not be carried out');
}

function describe({ kind, target, lastsMs }: PlannedFault): string {
  return `${kind}${target === '' ? '' : ` ${target}`} for ${lastsMs} ms`;
}
