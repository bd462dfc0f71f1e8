import { causeOf, isFollowed, keyOfFollower } from '@understudy/controller/dispatch/after';
import type { Moment, RunRecord, RunSpec } from '@understudy/controller/dispatch/run';
import type { Term } from '@understudy/shared/kernel/term';

const spec: RunSpec = {
  command: ['work'],
  env: {},
  selector: {},
  delivery: 'at-most-once',
  retries: { limit: 0, delayMs: 1_000, backoff: 2, maxDelayMs: 60_000, exitCodes: null },
  onAgentLost: 'retry',
  lateMs: null,
  timeoutMs: null,
  priority: 0,
  limit: null,
  instant: null,
};
const again: RunSpec = { ...spec, delivery: 'at-least-once' };
const unlessLost: RunSpec = { ...again, onAgentLost: 'fail' };
const kinds = [spec, again, spec, unlessLost];

/** A run that a user asks for: every other one may be tried again. Where nobody works, it is over at once. */
export function userRun(
  id: string,
  { term, now, isWanted }: { term: Term; now: number; isWanted: boolean },
): RunRecord {
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
    spec: kinds[Number(id.slice(1)) % kinds.length] ?? spec,
    idempotencyKey: null,
    retryOf: null,
    target: null,
    batch: null,
    orderedBy: null,
    lateAt: null,
    notBefore: null,
    cancelReason: null,
    term,
    attempts: [],
  };
}

/** The run that follows the end of another one; one that follows has no follower. */
export function followerOf(cause: RunRecord, { term, now }: Moment): RunRecord | null {
  const isUsers = causeOf(cause.idempotencyKey) === null;
  if (!isUsers || !isFollowed('ended', cause.state)) return null;
  const run = userRun(`${cause.id}-after`, { term, now, isWanted: true });
  return { ...run, spec, idempotencyKey: keyOfFollower(cause.id) };
}
