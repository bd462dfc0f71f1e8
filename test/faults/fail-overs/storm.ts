import { join } from 'node:path';
import { startFront } from '@understudy/scripts/local/front';
import { Dice } from '../../sim/kernel/dice.ts';
import { controllerUrl } from '../../support/cluster/configs.ts';
import type { Owner } from '../../support/cluster/owner.ts';
import { followLog } from '../../support/cluster/stream-follower.ts';
import { type Cluster, makeCluster } from '../../support/cluster.ts';
import { openDecoding } from '../../support/decoding.ts';
import { servingFaults } from '../../support/invariants/service.ts';
import { StoreHistory } from '../store-history.ts';
import { collectRuns, collectStarts, collectWritten } from './collect.ts';
import type { Accepted, StormHistory } from './history.ts';
import { judgeStorm } from './judge.ts';
import { type StormLoad, startStormLoad } from './load.ts';
import type { PlannedStep } from './plan.ts';
import { carryOut, type StepReport } from './steps.ts';
import { summarise } from './summary.ts';
import { jobNames, jobOf } from './work.ts';

export interface StormOptions {
  readonly seed: number;
  /** Runs a second that are asked for. */
  readonly rate: number;
  readonly plan: (dice: Dice) => readonly PlannedStep[];
  /** Called with each thing that happens, as a sentence. */
  readonly tell: (text: string) => void;
}

export interface StormReport {
  readonly findings: readonly string[];
  readonly summary: readonly string[];
}

const AGENTS = ['w1', 'w2', 'w3'];
const SLOTS = 250;
/** One of so many runs is followed from its beginning; so is each long one. */
const FOLLOWED_SHARE = 0.02;
const LONG_LINES = 20;

/**
 * Fail-overs in turn while users ask for runs without end. Afterwards every run, every attempt, every byte of
 * output is accounted for.
 */
export async function runStorm(owner: Owner, options: StormOptions): Promise<StormReport> {
  const { seed, rate, tell } = options;
  const dice = new Dice(seed);
  const cluster = await makeCluster(owner, {
    agents: AGENTS,
    linked: true,
    host: { failover: { target: '6s', limit: 1_000 }, agents: { lostAfter: '60s' } },
    agent: { slots: SLOTS, retry: { every: '200ms', timeout: '1s', limit: 1_000 } },
  });
  const store = new StoreHistory(await openDecoding(cluster.postgres.url));
  await cluster.start();
  const files = filesOf(cluster);
  for (const name of jobNames) await cluster.client.putJob(jobOf(name, files));
  const upstreams = cluster.facts.hosts.map(({ controllerPort: port }) => {
    return { host: '127.0.0.1', port };
  });
  const front = await startFront({ port: 0, upstreams });
  owner.teardown(() => front.close());

  const followers = new Followers(cluster, new Dice(seed + 1));
  const load = startStormLoad({
    rate,
    front: front.port,
    controllers: upstreams.map(({ port }) => port),
    token: cluster.facts.token,
    dice: new Dice(seed + 2),
    onAccepted: (accepted) => followers.consider(accepted),
  });
  owner.teardown(() => load.stop());
  const beganAt = performance.now();
  const steps: StepReport[] = [];
  const killedAgents = new Set<string>();
  const about = {
    ...{ cluster, dice },
    acceptedAt: () => load.accepted.map(({ atMs }) => atMs),
    onKilled: (agent: string) => void killedAgents.add(agent),
  };
  for (const step of options.plan(dice)) {
    tell(`${step.kind} for ${step.lastsMs} ms`);
    steps.push(await carryOut(step, about));
  }
  const seconds = (performance.now() - beganAt) / 1_000;
  tell('all steps are over: waits for what is under way');
  await load.stop();
  const history = await historyOf(cluster, load, { followers, killedAgents });
  tell('judges');
  const findings = [
    ...load.complaints,
    ...(await store.judge()),
    ...servingFaults(load.served),
    ...judgeStorm(history),
  ];
  return { findings, summary: summarise(history, steps, seconds) };
}

function filesOf(cluster: Cluster): { STARTS: string; WRITTEN: string } {
  const { folder } = cluster.facts;
  return { STARTS: join(folder, 'starts'), WRITTEN: join(folder, 'written') };
}

async function historyOf(
  cluster: Cluster,
  { asked, accepted }: StormLoad,
  seen: { readonly followers: Followers; readonly killedAgents: ReadonlySet<string> },
): Promise<StormHistory> {
  const { STARTS, WRITTEN } = filesOf(cluster);
  const found = await collectRuns(cluster);
  return {
    ...{ asked, accepted, ...found, killedAgents: seen.killedAgents },
    starts: collectStarts(STARTS),
    written: collectWritten(WRITTEN),
    followed: await seen.followers.over(),
  };
}

/** Those who follow the output of runs while it is written. */
class Followers {
  readonly #cluster: Cluster;
  readonly #dice: Dice;
  readonly #followed = new Map<string, Promise<Buffer>>();

  constructor(cluster: Cluster, dice: Dice) {
    this.#cluster = cluster;
    this.#dice = dice;
  }

  consider({ run, lines }: Accepted): void {
    if (lines < LONG_LINES && !this.#dice.chance(FOLLOWED_SHARE)) return;
    const { hosts, token } = this.#cluster.facts;
    const urls = this.#dice.chance(0.5) ? hosts : hosts.toReversed();
    const followed = followLog({ urls: urls.map(controllerUrl), token }, run);
    // Whoever fails says so at the end.
    followed.catch(() => undefined);
    this.#followed.set(run, followed);
  }

  /** What each of them was given. */
  async over(): Promise<Map<string, Buffer>> {
    const all = [...this.#followed].map(async ([run, followed]) => [run, await followed] as const);
    return new Map(await Promise.all(all));
  }
}
