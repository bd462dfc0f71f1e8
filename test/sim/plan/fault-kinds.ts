/** Faults that strike one node, with its processes, its clocks and its links. */
export const nodeFaults = [
  'pause-heartbeat',
  'pause-controller',
  'freeze-host',
  'vm-pause',
  'hang-controller',
  'crash-controller',
  'crash-heartbeat',
  'power-loss',
  'stop-heartbeat',
  'wall-clock-jump',
  'cut-store',
  'cut-store-requests',
  'cut-store-answers',
  'reject-store',
  'slow-store',
  'cut-peers',
  'cut-peers-one-way',
  'reject-peers',
  'isolate',
  'slow-peers',
  'switch-over',
  'force',
] as const;

/** Faults of the store, which strike all nodes. They are counted by the phase of the node that leads. */
export const storeFaults = [
  'store-disk-stall',
  'store-freeze',
  'store-crash',
  'store-clock-jump',
  'store-fail-over',
  'pause-pair',
  'store-unreachable',
] as const;

/** What a pair must bear without a change of roles, one at a time and not for too long. */
export const toleratedFaults = [
  'pause-heartbeat',
  'pause-controller',
  'freeze-host',
  'hang-controller',
  'wall-clock-jump',
  'slow-store',
  'slow-peers',
  'cut-peers',
  'cut-peers-one-way',
  'reject-peers',
  'store-disk-stall',
  'store-freeze',
  'store-crash',
  'store-unreachable',
] as const;

/** Faults of worker hosts. */
export const agentFaults = [
  'pause-agent',
  'crash-agent',
  'agent-disk-lost',
  'cut-agent',
  'cut-agent-one-way',
] as const;

export const faultKinds = [...nodeFaults, ...storeFaults] as const;

export type NodeFault = (typeof nodeFaults)[number];
export type StoreFault = (typeof storeFaults)[number];
export type AgentFault = (typeof agentFaults)[number];
export type FaultKind = NodeFault | StoreFault | AgentFault;
