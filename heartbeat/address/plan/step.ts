import { unreachable } from '@understudy/shared/kernel/invariant';
import { COMMAND_SLOW_MS, lifeTimeS, putAgainAt } from './life-time.ts';
import type {
  AddressEffect,
  AddressEvent,
  AddressState,
  AddressStep,
  AddressStory,
  Aim,
  Found,
} from './state.ts';

/** How often the kernel is looked at while nothing happens. */
export const LOOK_EVERY_MS = 1_000;
/**
 * After a hand-over the addresses take everybody in for so long at most. Longer than the old controller lets
 * connections be that ask for nothing: while there is one, somebody is always connected.
 */
export const OPEN_WITHIN_MS = 1_500;
/** With a closed door they stay for so long after a connection has ended: whoever still is there then won't end soon. */
export const DRAIN_WITHIN_MS = 2_000;
/** After a hand-over they stay for so long at most: the old controller sends on for five seconds. */
export const LEAVE_WITHIN_MS = 4_500;
/**
 * The kernel keeps them for no longer than that meanwhile, and is told so again when half of it has gone, if the
 * next active was heard within that half: it takes them when it does not hear of us for long (`keeper.ts`).
 */
const LEAVING_LIFE_S = 1;
const LEAVING_LEFT_MS = 500;
const RETRY_AFTER_MS = 500;
/** Announcements get lost: first they are repeated soon, then for good. */
const ANNOUNCE_SOON = { every: 1_000, times: 10 } as const;
const ANNOUNCE_EVERY_MS = 60_000;

/** Nothing is known of what an earlier heartbeat left behind: it is removed first. */
export function initialAddress(now: number): AddressState {
  return {
    aim: { kind: 'absent' },
    running: null,
    keptUntil: null,
    putFor: 0,
    retryAt: now,
    problem: null,
    lookAt: now,
    isLossTold: false,
    announced: 0,
    announceAt: now,
    closeBy: 0,
    isClosed: false,
    drainBy: Number.POSITIVE_INFINITY,
    fewest: Number.POSITIVE_INFINITY,
    leaveBy: 0,
    hasSuccessor: false,
    renewUntil: Number.POSITIVE_INFINITY,
  };
}

/**
 * What is to be done about the virtual addresses at `now`, given what happened and what the kernel has. One command
 * is under way at a time, and one that removes waits for no other. Pure; the keeper executes the effects.
 */
export function stepAddress(
  state: AddressState,
  event: AddressEvent,
  now: number,
  found: Found,
): AddressStep {
  const noted = note(state, event, now);
  const step = pursue(noted.state, now, found);
  return { state: step.state, effects: [...noted.effects, ...step.effects] };
}

/** The next instant at which a tick is due. */
export function addressWakeAt(state: AddressState): number {
  const { aim, running, keptUntil, lookAt } = state;
  const waits = [lookAt];
  if (aim.kind === 'leaving') waits.push(leavesAt(state));
  if (aim.kind === 'present') waits.push(aim.trustedUntil);
  // What is under way answers by an event of its own.
  if (running !== null) return Math.min(...waits);
  if (state.problem !== null) waits.push(state.retryAt);
  if (aim.kind === 'leaving' && keptUntil !== null) {
    const renewAt = keptUntil - LEAVING_LEFT_MS;
    if (renewAt <= lastRenewalAt(state)) waits.push(renewAt);
    if (state.hasSuccessor && !state.isClosed) waits.push(state.closeBy);
  }
  if (aim.kind === 'present' && keptUntil !== null) {
    waits.push(state.announceAt);
    if (keptUntil < aim.trustedUntil) waits.push(putAgainAt(aim.leaseUntil));
  }
  return Math.min(...waits);
}

/** Whether this host has the addresses, as far as our own commands tell. */
export function isHeld({ keptUntil }: AddressState, now: number): boolean {
  return keptUntil !== null && now < keptUntil;
}

function note(state: AddressState, event: AddressEvent, now: number): AddressStep {
  switch (event.kind) {
    case 'tick':
      return only(state);
    case 'aim':
      return turnTo(state, event.aim, now);
    case 'put-done':
      return putDone(state, now);
    case 'put-failed':
      return failed(state, 'add', event.error, now);
    case 'closed':
      return only({
        ...state,
        ...{ running: null, problem: null, isClosed: true },
        ...{ drainBy: now + DRAIN_WITHIN_MS, fewest: Number.POSITIVE_INFINITY },
      });
    case 'close-failed':
      return closeFailed(state, event.error, now);
    case 'removed': {
      const why = state.aim.kind === 'leaving' ? 'the lease was handed over' : 'not active';
      const gone = { ...state, running: null, keptUntil: null, problem: null };
      return only(gone, tellIf(state.keptUntil !== null, { kind: 'address-removed', why }));
    }
    case 'remove-failed':
      return failed(state, 'remove', event.error, now);
    case 'successor-serves':
      return only({
        ...state,
        hasSuccessor: true,
        renewUntil: event.heardAt + LEAVING_LEFT_MS,
      });
    case 'looked':
      // Before the successor serves, whoever comes is still received here, and sent on.
      if (state.aim.kind !== 'leaving' || !state.hasSuccessor) return only(state);
      return looked(state, event.connections, now);
    default:
      return unreachable(event);
  }
}

function turnTo(state: AddressState, aim: Aim, now: number): AddressStep {
  const turned = { ...state, aim };
  if (aim.kind === state.aim.kind) return only(turned);
  const broken = breakOff(turned, aim.kind === 'present' ? 'remove' : 'put', 'close');
  const fresh = {
    ...broken.state,
    ...{ problem: null, retryAt: now, isLossTold: false, isClosed: false },
  };
  if (aim.kind === 'present') {
    // Whatever an earlier tenure has put says nothing of this one.
    const anew = { ...fresh, keptUntil: null, putFor: 0 };
    return only({ ...anew, announced: 0, announceAt: now }, broken.effects);
  }
  if (aim.kind === 'leaving') {
    const limits = { closeBy: now + OPEN_WITHIN_MS, leaveBy: now + LEAVE_WITHIN_MS };
    const unheard = { hasSuccessor: false, renewUntil: Number.POSITIVE_INFINITY };
    const open = { drainBy: Number.POSITIVE_INFINITY };
    return only({ ...fresh, ...limits, ...unheard, ...open }, broken.effects);
  }
  return only(fresh, broken.effects);
}

type Running = NonNullable<AddressState['running']>;

/** Ends a command that would do what is not wanted now. */
function breakOff(state: AddressState, ...kinds: readonly Running['kind'][]): AddressStep {
  const kind = state.running?.kind;
  if (kind === undefined || !kinds.includes(kind)) return only(state);
  // Nobody knows what became of it.
  const keptUntil = kind === 'put' ? (state.keptUntil ?? 0) : state.keptUntil;
  return only({ ...state, running: null, keptUntil }, [{ kind: 'break-off' }]);
}

function putDone(state: AddressState, now: number): AddressStep {
  const { running, aim } = state;
  if (running?.kind !== 'put') return only(state);
  const { startedAt, lifeS } = running;
  const keptUntil = startedAt + lifeS * 1_000;
  const done = { ...state, running: null, keptUntil, problem: null, isLossTold: false };
  if (aim.kind !== 'present') return only(done);
  const isLate = now - startedAt > COMMAND_SLOW_MS && lifeTimeS(state.putFor, now) < lifeS;
  const isNew = !isHeld(state, startedAt) || state.isLossTold;
  return only(
    {
      ...done,
      putFor: isLate ? 0 : state.putFor,
      ...(isNew ? { announced: 0, announceAt: now } : {}),
    },
    tellIf(isNew, { kind: 'address-added', term: aim.term, lifeS }),
  );
}

function failed(
  state: AddressState,
  what: 'add' | 'remove',
  error: string,
  now: number,
): AddressStep {
  // Tried again and again; told once.
  const isNews = state.problem === null;
  return only(
    {
      ...state,
      running: null,
      // It may have been carried out in part.
      keptUntil: what === 'add' ? (state.keptUntil ?? 0) : state.keptUntil,
      problem: error,
      retryAt: now + RETRY_AFTER_MS,
    },
    tellIf(isNews, { kind: 'address-failed', what, error }),
  );
}

function looked(state: AddressState, connections: number, now: number): AddressStep {
  const { isClosed, fewest, problem } = state;
  // Somebody may come after this look, unless the door was closed before it, or can't be closed.
  const isLast = isClosed || problem !== null;
  if (connections === 0)
    return only({ ...state, ...(isLast ? { leaveBy: now } : { closeBy: now }) });
  if (!isClosed || connections >= fewest) return only(state);
  return only({ ...state, fewest: connections, drainBy: now + DRAIN_WITHIN_MS });
}

/** Tried again, unless they can go before that. */
function closeFailed(state: AddressState, error: string, now: number): AddressStep {
  const isNews = state.problem === null;
  return only(
    { ...state, running: null, problem: error, closeBy: now + RETRY_AFTER_MS },
    tellIf(isNews, { kind: 'address-failed', what: 'close', error }),
  );
}

function pursue(state: AddressState, now: number, found: Found): AddressStep {
  const turned = now >= state.lookAt ? { ...state, lookAt: now + LOOK_EVERY_MS } : state;
  const { aim } = turned;
  switch (aim.kind) {
    case 'present':
      // Nobody is waited for to hear that trust has run out: this host may have been asleep.
      return now < aim.trustedUntil
        ? bePresent(turned, aim, now, found)
        : beAbsent(turned, now, found);
    case 'leaving':
      return now >= leavesAt(turned) ? beAbsent(turned, now, found) : leave(turned, now);
    case 'absent':
      return beAbsent(turned, now, found);
    default:
      return unreachable(aim);
  }
}

function beAbsent(state: AddressState, now: number, found: Found): AddressStep {
  const broken = breakOff(state, 'put', 'close');
  const { running, keptUntil, retryAt } = broken.state;
  const isThere = keptUntil !== null || found.present.length > 0;
  if (running !== null || !isThere || now < retryAt) return broken;
  const isForeign = keptUntil === null && state.problem === null;
  return only({ ...broken.state, running: { kind: 'remove' } }, [
    ...broken.effects,
    ...tellIf(isForeign, { kind: 'address-found', addresses: found.present }),
    { kind: 'remove' },
  ]);
}

/**
 * Until they go the kernel is to remove them soon, should nobody here be able to. From when the door is closed on,
 * connections only end: when there is none left nobody can be cut off any more by their removal.
 */
function leave(state: AddressState, now: number): AddressStep {
  const { running, keptUntil, leaveBy } = state;
  if (running !== null || keptUntil === null || now < state.retryAt) return only(state);
  const isEnding = keptUntil - now <= LEAVING_LEFT_MS && now <= lastRenewalAt(state);
  if (isEnding || keptUntil > now + LEAVING_LIFE_S * 1_000) {
    return put(state, leaveBy, LEAVING_LIFE_S, now);
  }
  const isTime = state.hasSuccessor && now >= state.closeBy;
  if (state.isClosed || !isTime) return only(state);
  return only({ ...state, running: { kind: 'close' } }, [{ kind: 'close' }]);
}

/** What the kernel may have removed is not put again: this host may have been asleep. */
function leavesAt({ leaveBy, drainBy, keptUntil }: AddressState): number {
  return Math.min(leaveBy, drainBy, keptUntil ?? leaveBy);
}

function lastRenewalAt({ leaveBy, renewUntil }: AddressState): number {
  return Math.min(leaveBy - LEAVING_LEFT_MS, renewUntil);
}

function bePresent(
  state: AddressState,
  aim: Extract<Aim, { kind: 'present' }>,
  now: number,
  found: Found,
): AddressStep {
  if (state.running !== null) return only(state);
  const { keptUntil, putFor } = state;
  const isLost = keptUntil !== null && state.problem === null && found.missing.length > 0;
  const isEnding =
    keptUntil !== null && keptUntil < aim.trustedUntil && now >= putAgainAt(aim.leaseUntil);
  const isNeeded = keptUntil === null || state.problem !== null;
  const isDue = isNeeded || aim.leaseUntil > putFor || isLost || isEnding;
  if (isDue && now >= state.retryAt) {
    const isNews = isLost && !state.isLossTold;
    const step = put(
      { ...state, isLossTold: state.isLossTold || isLost },
      aim.leaseUntil,
      lifeTimeS(aim.leaseUntil, now),
      now,
    );
    const tell = tellIf(isNews, { kind: 'address-lost', addresses: found.missing });
    return only(step.state, [...tell, ...step.effects]);
  }
  // Who fails to come in part is announced as far as he is here.
  if (found.present.length === 0 || now < state.announceAt) return only(state);
  return announce(state, now);
}

function put(state: AddressState, putFor: number, lifeS: number, now: number): AddressStep {
  return only({ ...state, putFor, running: { kind: 'put', startedAt: now, lifeS } }, [
    { kind: 'put', lifeS, isAnew: state.keptUntil === null },
  ]);
}

function announce(state: AddressState, now: number): AddressStep {
  const announced = state.announced + 1;
  const pauseMs = announced < ANNOUNCE_SOON.times ? ANNOUNCE_SOON.every : ANNOUNCE_EVERY_MS;
  return only({ ...state, announced, announceAt: now + pauseMs }, [{ kind: 'announce' }]);
}

function tellIf(isNews: boolean, story: AddressStory): AddressEffect[] {
  return isNews ? [{ kind: 'tell', story }] : [];
}

function only(state: AddressState, effects: readonly AddressEffect[] = []): AddressStep {
  return { state, effects };
}
