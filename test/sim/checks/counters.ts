import type { PhaseName } from '@understudy/heartbeat/role/state';
import type { AgentFault, FaultKind } from '../plan/fault-kinds.ts';

/** What happened in histories: to show that each fault met each phase. */
export interface Counters {
  histories: number;
  simulatedMs: number;
  grants: number;
  answers: number;
  commits: number;
  testimonies: number;
  consents: number;
  starts: number;
  agentsGaveUp: number;
  readonly claims: Record<string, number>;
  readonly phases: Record<PhaseName, number>;
  /** By fault and phase of the node that it struck. */
  readonly faults: Partial<Record<FaultKind, Partial<Record<PhaseName, number>>>>;
  /** By fault and phase of the agent that it struck. */
  readonly agentFaults: Partial<Record<AgentFault, Record<string, number>>>;
}

export const phaseNames = [
  'watching',
  'claiming',
  'promoting',
  'serving',
  'quiescing',
  'handing-over',
  'draining',
  'fencing',
  'releasing',
  'stopped',
] as const satisfies readonly PhaseName[];

export function emptyCounters(): Counters {
  const phases = Object.fromEntries(phaseNames.map((name) => [name, 0]));
  return {
    histories: 0,
    simulatedMs: 0,
    grants: 0,
    answers: 0,
    commits: 0,
    testimonies: 0,
    consents: 0,
    starts: 0,
    agentsGaveUp: 0,
    claims: { released: 0, testified: 0, silence: 0, forced: 0 },
    phases: phases as Record<PhaseName, number>,
    faults: {},
    agentFaults: {},
  };
}

export function countFault(counters: Counters, kind: FaultKind, phase: PhaseName): void {
  const row = counters.faults[kind] ?? {};
  counters.faults[kind] = row;
  row[phase] = (row[phase] ?? 0) + 1;
}

/** Adds what another part of the histories counted. */
export function addCounters(to: Counters, from: Counters): void {
  for (const key of [
    'histories',
    'simulatedMs',
    'grants',
    'answers',
    'commits',
    'testimonies',
    'consents',
    'starts',
    'agentsGaveUp',
  ] as const) {
    to[key] += from[key];
  }
  addEach(to.claims, from.claims);
  addEach(to.phases, from.phases);
  for (const [kind, row] of Object.entries(from.agentFaults)) {
    const known = to.agentFaults[kind as AgentFault] ?? {};
    to.agentFaults[kind as AgentFault] = known;
    addEach(known, row);
  }
  for (const [kind, row] of Object.entries(from.faults)) {
    const known = to.faults[kind as FaultKind] ?? {};
    to.faults[kind as FaultKind] = known;
    addEach(known, row);
  }
}

function addEach(to: Record<string, number>, from: Record<string, number>): void {
  for (const [key, count] of Object.entries(from)) to[key] = (to[key] ?? 0) + count;
}
