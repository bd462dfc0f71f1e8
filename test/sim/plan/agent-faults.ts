import { unreachable } from '@understudy/shared/kernel/invariant';
import type { SimAgent } from '../work/agent.ts';
import type { World } from '../world.ts';
import type { AgentFault } from './fault-kinds.ts';

/** Lets faults strike worker hosts. */
export class AgentFaults {
  readonly #world: World;
  readonly #undoAfter: (ms: number, undo: () => void) => void;

  constructor(world: World, undoAfter: (ms: number, undo: () => void) => void) {
    this.#world = world;
    this.#undoAfter = undoAfter;
  }

  strike(kind: AgentFault, forMs: number): void {
    const { agents, dice, trace, counters } = this.#world;
    const agent = dice.pick(agents);
    trace?.('FAULT', `${kind} at ${agent.name}, ${forMs} ms`);
    const row = counters.agentFaults[kind] ?? {};
    counters.agentFaults[kind] = row;
    row[agent.phase] = (row[agent.phase] ?? 0) + 1;
    switch (kind) {
      case 'pause-agent':
        agent.process?.pause();
        return this.#resume(agent, forMs);
      case 'crash-agent':
        agent.crash();
        return this.#undoAfter(dice.scale(50, 10_000), () => agent.start());
      case 'agent-disk-lost':
        agent.loseDisk();
        return this.#undoAfter(dice.scale(50, 10_000), () => agent.start());
      case 'cut-agent':
        return this.#cut(agent, 'both', forMs);
      case 'cut-agent-one-way':
        return this.#cut(agent, dice.chance(0.5) ? 'out' : 'in', forMs);
      default:
        return unreachable(kind);
    }
  }

  #resume({ process }: SimAgent, forMs: number): void {
    this.#undoAfter(forMs, () => process?.resume());
  }

  #cut({ place }: SimAgent, way: 'both' | 'out' | 'in', forMs: number): void {
    const { nodes, network, dice } = this.#world;
    const from = dice.chance(0.5) ? nodes : [dice.pick(nodes)];
    const set = (state: 'cut' | 'open') => {
      for (const node of from) {
        if (way !== 'in') network.set(place, node.place, state);
        if (way !== 'out') network.set(node.place, place, state);
      }
    };
    set('cut');
    this.#undoAfter(forMs, () => set('open'));
  }
}
