/**
 * The life of one attempt on this worker: ordered -> journalled -> running -> ended -> acknowledged.
 * Pure. It guarantees that an attempt runs only after the journal knows it, and at most once.
 */
import { invariant, unreachable } from '@understudy/shared/kernel/invariant';
import type { Term } from '@understudy/shared/kernel/term';

export interface AttemptKey {
  readonly run: string;
  readonly attempt: number;
}

export type Outcome = 'exited' | 'signalled' | 'timed-out' | 'cancelled' | 'not-started' | 'lost';

/** How an attempt ended. Instants are on the monotonic clock of this host. */
export interface End {
  readonly atMs: number;
  readonly outcome: Outcome;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly reason: string | null;
  readonly logBytes: number;
}

export interface Start {
  readonly atMs: number;
  readonly pid: number;
}

export type Phase = 'ordered' | 'journalled' | 'running' | 'ended' | 'acknowledged';

export interface Attempt extends AttemptKey {
  readonly term: Term;
  readonly phase: Phase;
  readonly start: Start | null;
  readonly startAcknowledged: boolean;
  /** So many bytes of the output are stored by a controller. */
  readonly logAcknowledged: number;
  readonly end: End | null;
  /** How often its order came again in this life of the worker. */
  readonly asked: number;
}

export type AttemptEvent =
  | { readonly type: 'journalled' }
  | { readonly type: 'started'; readonly start: Start }
  | { readonly type: 'ended'; readonly end: End }
  | { readonly type: 'start-acknowledged' }
  | { readonly type: 'log-acknowledged'; readonly upTo: number }
  | { readonly type: 'end-acknowledged' }
  /** The order came again: its state is to be reported again. */
  | { readonly type: 'asked-again' };

/** An attempt as an order makes it. */
export function orderedAttempt(key: AttemptKey, term: Term): Attempt {
  return {
    run: key.run,
    attempt: key.attempt,
    term,
    phase: 'ordered',
    start: null,
    startAcknowledged: false,
    logAcknowledged: 0,
    end: null,
    asked: 0,
  };
}

/** One step of an attempt's life. */
export function stepAttempt(state: Attempt, event: AttemptEvent): Attempt {
  switch (event.type) {
    case 'journalled':
      invariant(state.phase === 'ordered', 'an attempt is journalled once, before it starts');
      return { ...state, phase: 'journalled' };
    case 'started':
      invariant(state.phase === 'journalled', 'an attempt starts once, after it was journalled');
      return { ...state, phase: 'running', start: event.start };
    case 'ended':
      invariant(isOpen(state), 'an attempt ends once');
      return { ...state, phase: 'ended', end: event.end };
    case 'start-acknowledged':
      return { ...state, startAcknowledged: true };
    case 'log-acknowledged':
      return { ...state, logAcknowledged: Math.max(state.logAcknowledged, event.upTo) };
    case 'end-acknowledged':
      invariant(state.end !== null, 'only an end can be acknowledged');
      return { ...state, phase: 'acknowledged' };
    case 'asked-again':
      return {
        ...state,
        asked: state.asked + 1,
        startAcknowledged: false,
        phase: state.phase === 'acknowledged' ? 'ended' : state.phase,
      };
    default:
      return unreachable(event);
  }
}

/**
 * Whether the acknowledgement of what was reported counts. If the order came again after that, it does not: it
 * may be that of a controller which did not know of the attempt yet, and now wants to hear of it.
 */
export function isSettledBy(state: Attempt | undefined, reported: Attempt): boolean {
  return state !== undefined && state.asked === reported.asked;
}

/** Whether the attempt takes a slot: ordered and not over. */
export function isOpen(state: Attempt): boolean {
  return state.phase === 'ordered' || state.phase === 'journalled' || state.phase === 'running';
}

/** The name of an attempt in maps, file names and logs. */
export function attemptId(key: AttemptKey): string {
  return `${key.run}.${key.attempt}`;
}
