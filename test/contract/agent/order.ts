import { randomUUID } from 'node:crypto';
import type { OrderWire } from '@understudy/shared/protocol/agent';

export type StartWire = Extract<OrderWire, { type: 'start' }>;

/** An order to run a shell script once, under a run of its own. */
export function startOrder(script: string, more: Partial<StartWire> = {}): StartWire {
  return {
    type: 'start',
    term: '1',
    run: randomUUID(),
    attempt: 1,
    job: 'report',
    command: ['/bin/sh', '-c', script],
    env: {},
    scheduledFor: null,
    timeoutMs: null,
    delivery: 'at-most-once',
    ...more,
  };
}

/** An order to do something else than to run a command. */
export function orderTo(
  action: Pick<StartWire, 'shell' | 'http' | 'module'>,
  more: Partial<StartWire> = {},
): StartWire {
  const { command: _, ...order } = startOrder('', more);
  return { ...order, ...action };
}
