/** Invariants over what agents do and know. */

/** An agent when all is quiet again: null where it has ended. */
export interface SettledAgent {
  readonly agent: string;
  readonly running: boolean;
  /** Whether the active counts it as connected. */
  readonly connected: boolean;
  /** The highest term that it has on its disk. */
  readonly term: bigint;
}

/** I8: each agent follows the active under its term, or has ended. */
export function followingFaults(agents: readonly SettledAgent[], activeTerm: bigint): string[] {
  return agents
    .filter(({ running }) => running)
    .flatMap(({ agent, connected, term }) => [
      ...(connected ? [] : [`I8: agent ${agent} runs and follows nobody`]),
      ...(term > activeTerm ? [`I8: agent ${agent} knows term ${term} above ${activeTerm}`] : []),
    ]);
}

/** An attempt in the order in which its agent took it on, with the term of the order. */
export interface TakenOrder {
  readonly agent: string;
  readonly term: bigint;
}

/** I8: no agent acts on an order below the highest term that it has acted on. */
export function staleOrders(orders: readonly TakenOrder[]): string[] {
  const highest = new Map<string, bigint>();
  return orders.flatMap(({ agent, term }) => {
    const known = highest.get(agent) ?? 0n;
    if (term >= known) highest.set(agent, term);
    return term >= known ? [] : [`I8: agent ${agent} took an order of term ${term} after ${known}`];
  });
}
