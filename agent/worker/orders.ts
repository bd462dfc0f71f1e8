import { unreachable } from '@understudy/shared/kernel/invariant';
import { type Order, type StartOrder, startKeySchema } from '@understudy/shared/protocol/agent';
import { attemptId } from '../attempt/attempt.ts';
import { decideStart } from '../attempt/decide.ts';
import type { Ledger } from './ledger.ts';
import type { Runner } from './runner.ts';

export type Closing = 'no' | 'draining' | 'giving-up';

export interface OrderDesk {
  readonly ledger: Ledger;
  readonly runner: Runner;
  readonly slots: number;
  readonly closing: () => Closing;
  readonly nowMs: () => number;
  readonly onNews: () => void;
}

/** What an order means for the stream that it came on. */
export type Handled =
  | { readonly type: 'go-on' }
  /** The controller sends us away, to the next one when it knows it. */
  | { readonly type: 'leave'; readonly next: string | null }
  /** The controller speaks for a term that is over. */
  | { readonly type: 'stale' };

/**
 * Carries out one order. Orders are given to it one after the other; a higher term is on disk before
 * the order that carries it has any effect.
 */
export async function handleOrder(order: Order, desk: OrderDesk): Promise<Handled> {
  const { ledger } = desk;
  await ledger.raise(order.term);
  const stale = order.term < ledger.highest;
  switch (order.type) {
    case 'hello':
    case 'beat':
      return { type: stale ? 'stale' : 'go-on' };
    case 'leave':
      return { type: 'leave', next: order.next };
    case 'start':
      start(order, desk);
      return { type: 'go-on' };
    case 'cancel':
      if (!stale) await cancel(order, desk);
      return { type: stale ? 'stale' : 'go-on' };
    default:
      return unreachable(order);
  }
}

/** An order to start something that this version does not know is refused, so that another agent gets it. */
export function refuseUnknown(data: string, { ledger, onNews }: OrderDesk): void {
  const key = parseKey(data);
  if (key === null || key.term < ledger.highest || ledger.get(attemptId(key)) !== undefined) return;
  ledger.refuse(key, 'not-understood');
  onNews();
}

function parseKey(data: string): Pick<StartOrder, 'term' | 'run' | 'attempt'> | null {
  try {
    return startKeySchema.safeParse(JSON.parse(data)).data ?? null;
  } catch {
    return null;
  }
}

function start(order: StartOrder, desk: OrderDesk): void {
  const { ledger, runner, onNews } = desk;
  const id = attemptId(order);
  const known = ledger.get(id);
  const decision = decideStart(order.term, {
    highest: ledger.highest,
    known,
    refused: ledger.refusalOf(id)?.reason,
    open: ledger.open,
    slots: desk.slots,
    closing: desk.closing(),
  });
  switch (decision.type) {
    case 'start':
      runner.start(order);
      return;
    case 'answer':
      void ledger.record(order, { type: 'asked-again' }).then(onNews);
      return;
    case 'refuse':
      ledger.refuse(order, decision.reason);
      onNews();
      return;
    default:
      unreachable(decision);
  }
}

/** An attempt that nobody knows here is noted as cancelled, so that a late order can't start it. */
async function cancel(order: Extract<Order, { type: 'cancel' }>, desk: OrderDesk): Promise<void> {
  const { ledger, runner } = desk;
  if (ledger.get(attemptId(order)) !== undefined) {
    runner.end(order, { outcome: 'cancelled', reason: order.reason });
    return;
  }
  await runner.endUnstarted(order, order.term, `${order.reason}; cancelled before it started`);
}
