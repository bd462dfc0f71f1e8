import type { RunRecord, RunSpec } from '@understudy/controller/dispatch/run';
import { dispatchRun, startRun } from '@understudy/controller/dispatch/transitions';

export const moment = { now: 1_000, term: 7n };

export const noRetries = {
  ...{ limit: 0, delayMs: 100, backoff: 2, maxDelayMs: 60_000, exitCodes: null },
};

/** A queued run for tests of what may follow. */
export function makeRun(spec: Partial<RunSpec> = {}, over: Partial<RunRecord> = {}): RunRecord {
  return {
    id: 'r1',
    job: 'j',
    state: 'queued',
    scheduledFor: null,
    createdAt: 0,
    startedAt: null,
    finishedAt: null,
    exitCode: null,
    reason: null,
    agent: null,
    parameters: {},
    spec: {
      command: ['true'],
      env: {},
      selector: {},
      delivery: 'at-most-once',
      retries: noRetries,
      onAgentLost: 'retry',
      lateMs: null,
      timeoutMs: null,
      priority: 0,
      limit: null,
      instant: null,
      ...spec,
    },
    idempotencyKey: null,
    retryOf: null,
    target: null,
    batch: null,
    orderedBy: null,
    lateAt: null,
    notBefore: null,
    cancelReason: null,
    term: 1n,
    attempts: [],
    ...over,
  };
}

/** The same run, its next attempt running on agent w1. */
export function running(run: RunRecord): RunRecord {
  return startRun(dispatchRun(run, 'w1', moment), moment.now, moment);
}
