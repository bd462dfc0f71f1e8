/**
 * How runs and attempts change. Each function takes a run and gives the run that follows. What it
 * guarantees: a run that is over stays as it is, and an at-most-once run gets another attempt only when it
 * is certain that the one before never started a process.
 */
import { invariant, unreachable } from '@understudy/shared/kernel/invariant';
import {
  type AttemptRecord,
  type AttemptState,
  isOver,
  type Moment,
  mayFollow,
  openAttempt,
  type RunRecord,
} from './run.ts';

/** How an agent says that an attempt ended. */
export interface AttemptEnd {
  readonly at: number;
  readonly outcome: 'exited' | 'signalled' | 'timed-out' | 'cancelled' | 'not-started' | 'lost';
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly reason: string | null;
}

/** How long a run waits that an agent did not take. */
const REFUSED_DELAY_MS = 1_000;

/** A queued run goes to an agent: the next attempt begins. */
export function dispatchRun(run: RunRecord, agent: string, { now, term }: Moment): RunRecord {
  invariant(run.state === 'queued', 'only a queued run is dispatched');
  const attempt: AttemptRecord = {
    number: run.attempts.length + 1,
    agent,
    orderedTerm: term,
    state: 'dispatched',
    orderedAt: now,
    startedAt: null,
    finishedAt: null,
    exitCode: null,
    signal: null,
    reason: null,
    logBytes: 0,
  };
  const attempts = [...run.attempts, attempt];
  return moved(run, { state: 'dispatched', agent, notBefore: null, attempts, term });
}

/** The agent started the process of the attempt that is under way. */
export function startRun(run: RunRecord, at: number, { term }: Moment): RunRecord {
  const open = openAttempt(run);
  if (open === null || open.state === 'running') return run;
  return moved(run, {
    state: 'running',
    startedAt: run.startedAt ?? at,
    attempts: withLast(run, { ...open, state: 'running', startedAt: at }),
    term,
  });
}

/** So many bytes of the output of the attempt that is under way are there. */
export function growLog(run: RunRecord, logBytes: number, { term }: Moment): RunRecord {
  const open = openAttempt(run);
  if (open === null || logBytes <= open.logBytes) return run;
  return { ...run, attempts: withLast(run, { ...open, logBytes }), term };
}

/** The agent says how the attempt under way ended. */
export function endAttempt(run: RunRecord, end: AttemptEnd, moment: Moment): RunRecord {
  const attempt = { finishedAt: end.at, exitCode: end.exitCode, signal: end.signal };
  const reason = end.reason ?? reasonOf(end);
  switch (end.outcome) {
    case 'exited':
      if (end.exitCode === 0) {
        return over(run, { ...attempt, state: 'succeeded', reason: end.reason }, moment);
      }
      return failed(run, { ...attempt, state: 'failed', reason }, moment);
    case 'signalled':
    case 'not-started':
      return failed(run, { ...attempt, state: 'failed', reason }, moment, end.outcome);
    case 'timed-out':
      return failed(run, { ...attempt, state: 'timed-out', reason }, moment);
    case 'cancelled':
      if (run.cancelReason !== null || run.spec.delivery === 'at-most-once') {
        return over(run, { ...attempt, state: 'cancelled', reason }, moment);
      }
      return again(run, { ...attempt, state: 'cancelled', reason }, moment, pauseMs(run));
    case 'lost':
      return lost(run, { ...attempt, state: 'lost', reason }, moment);
    default:
      return unreachable(end.outcome);
  }
}

/** Nobody can know any more how the attempt under way went. */
export function loseAttempt(run: RunRecord, reason: string, moment: Moment): RunRecord {
  return lost(run, { state: 'lost', reason, finishedAt: moment.now }, moment);
}

/** It is certain that the attempt under way never started and never will: the run goes back to the queue. */
export function refuseAttempt(run: RunRecord, reason: string, moment: Moment): RunRecord {
  const end: Ending = { state: 'lost', reason: `not started: ${reason}`, finishedAt: moment.now };
  if (run.cancelReason !== null) return over(run, { ...end, state: 'cancelled' }, moment);
  return again(run, end, moment, REFUSED_DELAY_MS);
}

/** A queued run can go nowhere any more: it was not carried out, or nobody knows how the last attempt went. */
export function abandonRun(run: RunRecord, reason: string, { now, term }: Moment): RunRecord {
  invariant(run.state === 'queued', 'only a queued run is abandoned');
  const state = run.attempts.length === 0 ? 'skipped' : 'lost';
  return moved(run, { state, reason, notBefore: null, finishedAt: now, term });
}

/**
 * How long a queued run still waits. `notBefore` may come from the clock of another host: whatever that
 * showed, nobody waits longer than the pause that was meant.
 */
export function waitMs(run: RunRecord, now: number): number {
  if (run.notBefore === null) return 0;
  const longest = Math.max(REFUSED_DELAY_MS, pauseMs(run));
  return Math.max(0, Math.min(longest, run.notBefore - now));
}

/** Somebody asks to cancel it: at once while it is queued, else when its agent has confirmed. */
export function cancelRun(run: RunRecord, reason: string, { now, term }: Moment): RunRecord {
  if (isOver(run.state) || run.cancelReason !== null) return run;
  if (run.state !== 'queued') return { ...run, cancelReason: reason, term };
  const cancelled = { cancelReason: reason, notBefore: null, finishedAt: now, term };
  return moved(run, { ...cancelled, state: 'cancelled', reason });
}

type Ending = Pick<AttemptRecord, 'state' | 'finishedAt' | 'reason'> &
  Partial<Pick<AttemptRecord, 'exitCode' | 'signal'>>;

function failed(
  run: RunRecord,
  end: Ending,
  moment: Moment,
  outcome: AttemptEnd['outcome'] = 'exited',
): RunRecord {
  const { delivery, retries } = run.spec;
  const mayStartAgain = delivery === 'at-least-once' || outcome === 'not-started';
  const triesLeft = failures(run) < retries.limit && isTriedAgain(retries.exitCodes, end);
  if (!mayStartAgain || !triesLeft || run.cancelReason !== null) return over(run, end, moment);
  return again(run, end, moment, pauseMs(run));
}

/** With exit codes to try again after, nothing else is: a signal has none, and a time-out neither. */
function isTriedAgain(exitCodes: readonly number[] | null, { exitCode }: Ending): boolean {
  return exitCodes === null || (exitCode != null && exitCodes.includes(exitCode));
}

function lost(run: RunRecord, end: Ending, moment: Moment): RunRecord {
  const { delivery, onAgentLost } = run.spec;
  const mayStartAgain = delivery === 'at-least-once' && onAgentLost === 'retry';
  return mayStartAgain && run.cancelReason === null
    ? again(run, end, moment, 0)
    : over(run, end, moment);
}

/** The attempt is over, and with it the run. */
function over(run: RunRecord, end: Ending, { now, term }: Moment): RunRecord {
  const attempts = ended(run, end);
  const { state, reason, exitCode = null } = end;
  const finishedAt = Math.min(now, end.finishedAt ?? now);
  return moved(run, { state: runStateOf(state), finishedAt, exitCode, reason, attempts, term });
}

/** The attempt is over, and the run waits for another one. */
function again(run: RunRecord, end: Ending, { now, term }: Moment, delayMs: number): RunRecord {
  const notBefore = delayMs === 0 ? null : now + delayMs;
  const attempts = ended(run, end);
  return moved(run, {
    state: 'queued',
    agent: null,
    reason: end.reason,
    notBefore,
    attempts,
    term,
  });
}

function ended(run: RunRecord, end: Ending): AttemptRecord[] {
  const open = openAttempt(run);
  invariant(open !== null, 'only an attempt that is under way can end');
  return withLast(run, { ...open, ...end });
}

function moved(run: RunRecord, change: Partial<RunRecord> & Pick<RunRecord, 'state'>): RunRecord {
  invariant(
    mayFollow(run.state, change.state),
    `a run does not go from ${run.state} to ${change.state}`,
  );
  return { ...run, ...change };
}

function withLast(run: RunRecord, attempt: AttemptRecord): AttemptRecord[] {
  return [...run.attempts.slice(0, -1), attempt];
}

function runStateOf(state: AttemptState): RunRecord['state'] {
  invariant(isOver(state), 'a run is over only with its attempt');
  return state;
}

function failures(run: RunRecord): number {
  return run.attempts.filter(({ state }) => state === 'failed' || state === 'timed-out').length;
}

function pauseMs(run: RunRecord): number {
  const { delayMs, backoff, maxDelayMs } = run.spec.retries;
  return Math.round(Math.min(maxDelayMs, delayMs * backoff ** failures(run)));
}

function reasonOf({ outcome, exitCode, signal }: AttemptEnd): string {
  switch (outcome) {
    case 'exited':
      return `exit code ${exitCode ?? 'unknown'}`;
    case 'signalled':
      return `ended by ${signal ?? 'a signal'}`;
    case 'timed-out':
      return 'it took longer than its timeout';
    case 'cancelled':
      return 'cancelled';
    case 'not-started':
      return 'the program could not be started';
    case 'lost':
      return 'the worker ended while it ran';
    default:
      return unreachable(outcome);
  }
}
