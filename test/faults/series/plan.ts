import { Dice } from '../../sim/kernel/dice.ts';

/** What can befall a controller host. */
const hostFaults = [
  'kill-controller',
  'freeze-controller',
  'kill-heartbeat',
  'freeze-heartbeat',
  'stop-heartbeat',
  'freeze-host',
  'kill-host',
  'database-dark',
  'database-refuses',
  'database-slow',
  'database-lossy',
  'peer-dark',
  'isolate',
] as const;
const agentFaults = ['kill-agent', 'freeze-agent', 'stop-agent', 'agent-dark'] as const;
const databaseFaults = ['restart-database', 'kill-database', 'freeze-database'] as const;

export type FaultKind =
  | (typeof hostFaults)[number]
  | (typeof agentFaults)[number]
  | (typeof databaseFaults)[number];

/** A fault of a series: what happens to whom, when it begins and how long it lasts. */
export interface PlannedFault {
  readonly atMs: number;
  readonly lastsMs: number;
  readonly kind: FaultKind;
  /** A node or an agent; empty for the database. */
  readonly target: string;
}

export interface Cast {
  readonly nodes: readonly string[];
  readonly agents: readonly string[];
}

/** Before this nothing happens, so that there is something to disturb. */
const CALM_MS = 2_000;

/** Draws the faults of a series. The same seed, length and cast give the same plan. */
export function planSeries(seed: number, durationMs: number, cast: Cast): PlannedFault[] {
  const dice = new Dice(seed);
  const plan: PlannedFault[] = [];
  for (let atMs = CALM_MS; atMs < durationMs; atMs += dice.between(1_500, 7_000)) {
    plan.push({ ...draw(dice, cast), atMs: Math.round(atMs) });
  }
  return plan;
}

function draw(dice: Dice, { nodes, agents }: Cast): Omit<PlannedFault, 'atMs'> {
  const lastsMs = Math.round(dice.between(200, 6_000));
  const where = dice.next();
  if (where < 0.7) return { kind: dice.pick(hostFaults), target: dice.pick(nodes), lastsMs };
  if (where < 0.85) return { kind: dice.pick(agentFaults), target: dice.pick(agents), lastsMs };
  return { kind: dice.pick(databaseFaults), target: '', lastsMs };
}
