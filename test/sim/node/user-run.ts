import type { RunRecord, RunSpec } from '@understudy/controller/dispatch/run';
import type { Term } from '@understudy/shared/kernel/term';

const spec: RunSpec = {
  command: ['work'],
  env: {},
  selector: {},
  delivery: 'at-most-once',
  retries: { limit: 0, delayMs: 1_000, backoff: 2, maxDelayMs: 60_000, exitCodes: null },
  onAgentLost: 'retry',
  timeoutMs: null,
  priority: 0,
  limit: null,
  instant: null,
};
const again: RunSpec = { ...spec, delivery: 'at-least-once' };

/** A run that a user asks for: every other one may be tried again. Where nobody works, it is over at once. */
export function userRun(
  id: string,
  { term, now, isWanted }: { term: Term; now: number; isWanted: boolean },
): RunRecord {
  const isAgain = Number(id.slice(1)) % 2 === 1;
  return {
    id,
    job: 'job',
    state: isWanted ? 'queued' : 'skipped',
    scheduledFor: null,
    createdAt: now,
    startedAt: null,
    finishedAt: null,
    exitCode: null,
    reason: null,
    agent: null,
    parameters: {},
    spec: isAgain ? again : spec,
    idempotencyKey: null,
    retryOf: null,
    notBefore: null,
    cancelReason: null,
    term,
    attempts: [],
  };
}
