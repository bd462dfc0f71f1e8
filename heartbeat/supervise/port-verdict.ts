/**
 * What the connections to a controller's port prove. One is kept, and answers while the event loop turns. Now
 * and then a new one is opened, because a controller that has no descriptors left, or whose port is closed,
 * still answers on those that it has. In a storm of agents a new one waits behind all of them until it is taken:
 * that it is late says nothing while the kept one answers, and tells that others are taken. Pure.
 */

/** How one connection stands at the end of a check. */
export type Standing =
  /** There is none. */
  | { readonly type: 'none' }
  /** It answered; how many connections the controller has taken by then, if it said so. */
  | { readonly type: 'well'; readonly taken: number | null }
  /** It was asked and has not answered. */
  | { readonly type: 'silent' }
  /** It was refused, closed, or answered something that it must not. */
  | { readonly type: 'bad'; readonly problem: string };

export interface Standings {
  readonly kept: Standing;
  /** The new one; none in most checks. */
  readonly fresh: Standing;
}

/** One check of so many opens a new connection, as users do; after a bad check each does. */
const FRESH_EVERY = 4;

/**
 * What is wrong with the port after a check that lasted `timeoutMs`; null: nothing that is known. `takenBefore`:
 * how many connections had been taken when an earlier check was answered; null: nobody knows.
 */
export function judgePort(
  { kept, fresh }: Standings,
  { takenBefore, timeoutMs }: { readonly takenBefore: number | null; readonly timeoutMs: number },
): string | null {
  if (kept.type === 'bad') return kept.problem;
  if (fresh.type === 'bad') return fresh.problem;
  if (kept.type !== 'well' && fresh.type !== 'well') {
    return `its port does not answer within ${timeoutMs} ms`;
  }
  if (fresh.type !== 'silent' || isTaking(takenOf(kept), takenBefore)) return null;
  return `its port takes no new connection within ${timeoutMs} ms`;
}

/** Whether nothing more can be learnt in this check by waiting on. */
export function isDecided({ kept, fresh }: Standings): boolean {
  if (kept.type === 'bad' || fresh.type === 'bad') return true;
  return kept.type !== 'silent' && fresh.type !== 'silent';
}

/** Whether the check with this number, the first being 1, is to open a new connection. */
export function isFreshDue(
  check: number,
  { isInDoubt, kept }: { readonly isInDoubt: boolean; readonly kept: Standing },
): boolean {
  return isInDoubt || kept.type === 'none' || check % FRESH_EVERY === 0;
}

/** How many connections the controller has taken, by what it answered; null: it did not say. */
export function takenOf(standing: Standing): number | null {
  return standing.type === 'well' ? standing.taken : null;
}

function isTaking(taken: number | null, before: number | null): boolean {
  return taken !== null && before !== null && taken > before;
}
