import { formatDurationMs } from '@understudy/shared/kernel/duration';
import type { DeliveryView, HookView } from '@understudy/shared/protocol/hooks';
import type { DeliveryRecord, HookRecord } from '../store/hook-records.ts';

export function hookView({ name, definition, secret, createdAt, updatedAt }: HookRecord): HookView {
  const { url, events, jobs, timeout, giveUpAfter } = definition;
  return {
    ...{ name, url, events, jobs },
    signed: secret !== null,
    timeout: formatDurationMs(timeout),
    giveUpAfter: formatDurationMs(giveUpAfter),
    createdAt: iso(createdAt),
    updatedAt: iso(updatedAt),
  };
}

export function deliveryView(delivery: DeliveryRecord): DeliveryView {
  const { id, event, subject, state, attempts, status, problem, finishedAt } = delivery;
  return {
    ...{ id, event, subject, state },
    createdAt: iso(delivery.createdAt),
    attempts,
    dueAt: state === 'pending' ? iso(delivery.dueAt) : null,
    finishedAt: finishedAt === null ? null : iso(finishedAt),
    ...{ status, problem },
  };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
