import type { Role } from '@understudy/shared/protocol/rights';

/** What a route needs: a role, or nothing at all. */
export type Need = Role | 'nothing';

/** Who sends a request, as far as its token tells. */
export interface Caller {
  /** The name of the token; the pair's own is `pair`. */
  readonly name: string;
  readonly roles: readonly Role[];
  /** The only agent as which he may act; null: any, if he may be an agent at all. */
  readonly agent: string | null;
  /** Aborts when the token is not valid any more: what was opened with it ends. Null: never. */
  readonly over: AbortSignal | null;
}

/** The name under which the pair's own token acts. No token that is made can have it. */
export const PAIR_CALLER = 'pair';

const rank = { viewer: 0, operator: 1, admin: 2 } as const;

/** Whether somebody may act as the agent with this id, his role aside. */
export function mayBe({ agent }: Pick<Caller, 'agent'>, id: string): boolean {
  return agent === null || agent === id;
}

/** Whether somebody with these roles may do what needs that one. */
export function mayDo(held: readonly Role[], need: Need): boolean {
  if (need === 'nothing' || held.includes(need)) return true;
  if (need === 'agent') return false;
  return held.some((role) => role !== 'agent' && rank[role] >= rank[need]);
}
