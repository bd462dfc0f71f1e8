import type { Audit } from './checks/audit.ts';
import type { Counters } from './checks/counters.ts';
import type { Dice } from './kernel/dice.ts';
import type { Engine } from './kernel/engine.ts';
import type { Network } from './kernel/network.ts';
import type { Scheduling } from './kernel/process.ts';
import type { Node } from './node/node.ts';
import type { Knobs } from './plan/knobs.ts';
import type { Rules } from './plan/rules.ts';
import type { StoreServer } from './store/server.ts';
import type { SimAgent } from './work/agent.ts';

/** What every part of one history shares. */
export interface World {
  readonly engine: Engine;
  readonly dice: Dice;
  readonly knobs: Knobs;
  readonly rules: Rules;
  readonly network: Network;
  readonly server: StoreServer;
  readonly scheduling: Scheduling;
  readonly audit: Audit;
  readonly counters: Counters;
  readonly nodes: readonly Node[];
  readonly agents: readonly SimAgent[];
  /** Writes a line of the story; null when nobody reads it. */
  readonly trace: ((who: string, what: string) => void) | null;
  /** Whether users ask for nothing more. */
  readonly users: { areDone: boolean };
  /** A node has changed its phase. */
  readonly onPhase: (node: Node) => void;
  /** A number that was not given before in this history, as text. */
  readonly newId: (prefix: string) => string;
}
