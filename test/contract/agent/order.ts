import { randomUUID } from 'node:crypto';
import type { OrderWire } from '@understudy/shared/protocol/agent';

type StartWire = Extract<OrderWire, { type: 'start' }>;

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
