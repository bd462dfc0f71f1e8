import type { Dice } from '../../sim/kernel/dice.ts';
import { eventually, faultLasts } from '../../support/cluster/eventually.ts';
import { type Cluster, termOf } from '../../support/cluster.ts';
import { inflict } from '../series/inflict.ts';
import { isFailOver, type PlannedStep, type StormKind } from './plan.ts';

/** What one step did. */
export interface StepReport {
  readonly kind: StormKind;
  readonly target: string;
  /** The longest time in which no run was accepted. */
  readonly interruptionMs: number;
  /** From its beginning until one was active, another ready, and all agents connected. */
  readonly settledMs: number;
  /** Runs accepted a second in the calm after it. */
  readonly rate: number;
}

export interface StepOptions {
  readonly cluster: Cluster;
  readonly dice: Dice;
  /** When runs were accepted, in milliseconds of the monotonic clock. */
  readonly acceptedAt: () => readonly number[];
  readonly onKilled: (agent: string) => void;
}

/** So long nothing happens after each step, so that there is something to disturb. */
const CALM_MS = 4_000;

/** Lets one thing happen to the active host, the database or an agent, and waits until all is whole again. */
export async function carryOut(step: PlannedStep, options: StepOptions): Promise<StepReport> {
  const { cluster, dice, acceptedAt, onKilled } = options;
  const { kind, lastsMs } = step;
  const before = await cluster.settled();
  const agents = [...cluster.agents.keys()];
  const target =
    kind === 'kill-agent' ? dice.pick(agents) : kind === 'kill-database' ? '' : before.active.node;
  if (kind === 'kill-agent') onKilled(target);
  const beganAt = performance.now();
  if (kind === 'switch-over') await switchOver(cluster);
  else await inflict(cluster, { kind, target, lastsMs, atMs: 0 });
  const above = isFailOver(kind) ? termOf(before.activeStatus) : undefined;
  await cluster.settled(above === undefined ? {} : { above });
  await storeBack(cluster);
  await cluster.agentsConnected(agents);
  const settledAt = performance.now();
  await faultLasts(CALM_MS);
  const until = performance.now();
  const times = acceptedAt().filter((at) => at >= beganAt && at <= until);
  const calm = times.filter((at) => at >= settledAt).length;
  return {
    kind,
    target,
    interruptionMs: Math.round(longestGap([beganAt, ...times, until])),
    settledMs: Math.round(settledAt - beganAt),
    rate: calm / ((until - settledAt) / 1_000),
  };
}

async function switchOver(cluster: Cluster): Promise<void> {
  const { code, stderr } = await cluster.command(['switchover']);
  if (code !== 0) throw new Error(`understudy switchover: exit ${code}\n${stderr}`);
}

async function storeBack(cluster: Cluster): Promise<void> {
  await eventually(
    async () => {
      const found = await cluster.statuses();
      return found.some(([, { role, failsafe }]) => role === 'active' && !failsafe) ? true : null;
    },
    { what: 'the active to have the store' },
  );
}

function longestGap(times: readonly number[]): number {
  return Math.max(0, ...times.slice(1).map((at, index) => at - (times[index] ?? at)));
}
