import { unreachable } from '@understudy/shared/kernel/invariant';
import type { LeaseRow } from '../lease/port.ts';
import { observe, type Watch } from '../suspicion/watch.ts';
import { HOLD_STILL_RETRY_MS } from './claiming.ts';
import { noConsent } from './failsafe.ts';
import type {
  RoleEffect,
  RoleEvent,
  RoleOptions,
  RoleState,
  Step,
  Story,
  Tenure,
} from './state.ts';
import { andThen, learnPause, learnTerm, only } from './steps.ts';
import { canActivate } from './view.ts';

type LeaseEvent = Extract<
  RoleEvent,
  { kind: 'lease-read' | 'read-failed' | 'claim-granted' | 'claim-refused' | 'claim-failed' }
>;

/** Takes in what the store said about the lease to a node that does not hold it, or not surely. */
export function seesLease(
  state: RoleState,
  event: LeaseEvent,
  now: number,
  options: RoleOptions,
): Step {
  switch (event.kind) {
    case 'lease-read':
      return andThen(sawRow(state, event.row, now, options), (seen) =>
        afterRead(seen, event.row, now, options),
      );
    case 'read-failed':
      return storeAway({ ...state, reading: false }, event.error, now, options);
    case 'claim-granted':
      return andThen(sawRow(state, event.row, now, options), (seen) =>
        takeGrant(seen, event.row, { sentAt: event.sentAt, now }, options),
      );
    case 'claim-refused':
      return andThen(sawRow(state, event.row, now, options), (seen) =>
        only(
          // Not at once again, or a store that keeps refusing would be asked without a pause. Nor with
          // testimony that it did not accept: silence may do.
          {
            ...notClaiming(seen),
            claimNotBefore: now + (event.holdsStill ? HOLD_STILL_RETRY_MS : options.pollEveryMs),
            testifiedTerm: 0n,
          },
          [
            {
              kind: 'tell',
              story: { kind: event.holdsStill ? 'holds-still' : 'claim-refused', why: event.why },
            },
          ],
        ),
      );
    case 'claim-failed':
      return claimAnswerLost(state, event.error, now);
    default:
      return unreachable(event);
  }
}

function sawRow(state: RoleState, row: LeaseRow, now: number, options: RoleOptions): Step {
  const back: RoleEffect[] =
    state.storeAwaySince === null
      ? []
      : [{ kind: 'tell', story: { kind: 'store-back', afterMs: now - state.storeAwaySince } }];
  const watch = observe(state.watch, row, now);
  const seen = only(
    learnTerm(
      {
        ...state,
        watch,
        reading: false,
        readAgain: false,
        nextReadAt: state.readAgain ? now : nextReadAt(watch, now, options),
        storeAwaySince: null,
      },
      row.term,
    ),
    back,
  );
  return andThen(seen, (next) => learnPause(next, row, now));
}

/**
 * While renewals come in time, one reading for each, soon after it: the store says how old it is. As soon
 * as one is missing, or nobody holds the lease, every `pollEvery`. So a change is seen within that time.
 */
function nextReadAt(watch: Watch, now: number, options: RoleOptions): number {
  const { row } = watch;
  const soon = now + options.pollEveryMs;
  if (row === null || row.holder === null || row.released || watch.changedAt !== now) return soon;
  const ageMs = row.ttlMs - row.remainingMs;
  const nextIsDueInMs = options.renewEveryMs - ageMs + options.pollEveryMs / 4;
  const isInTime = ageMs >= 0 && nextIsDueInMs > 0;
  return isInTime ? Math.max(now + nextIsDueInMs, soon) : soon;
}

function storeAway(state: RoleState, error: string, now: number, options: RoleOptions): Step {
  const away = { ...state, nextReadAt: now + options.pollEveryMs };
  if (state.storeAwaySince !== null) return only(away);
  return only({ ...away, storeAwaySince: now }, [
    { kind: 'tell', story: { kind: 'store-away', error } },
  ]);
}

/** What a freshly read row asks for, beside judging it. */
function afterRead(state: RoleState, row: LeaseRow, now: number, options: RoleOptions): Step {
  const { phase } = state;
  if (phase.name === 'claiming' && phase.answerLost) return resolveClaim(state, row, now, options);
  if (phase.name !== 'watching' || row.released || state.givingBack !== null) return only(state);
  if (row.holder?.incarnation === options.self.incarnation) {
    return takeHandedOver(state, row, now, options);
  }
  return breakPredecessor(state, row, options);
}

/** The answer to our claim was lost: the row tells whether it was granted. */
function resolveClaim(state: RoleState, row: LeaseRow, now: number, options: RoleOptions): Step {
  const { phase } = state;
  if (phase.name !== 'claiming') return only(state);
  const isOurs = row.holder?.incarnation === options.self.incarnation && row.term > phase.above;
  if (row.released || !isOurs) {
    // Not at once again: an error that comes with each claim must not become a storm of claims.
    return only({ ...notClaiming(state), claimNotBefore: now + options.pollEveryMs });
  }
  return takeGrant(state, row, { sentAt: phase.sentAt, now }, options);
}

interface GrantTimes {
  readonly sentAt: number;
  readonly now: number;
}

function takeGrant(
  state: RoleState,
  row: LeaseRow,
  { sentAt, now }: GrantTimes,
  options: RoleOptions,
): Step {
  const unused =
    state.phase.name === 'claiming'
      ? whyGrantIsUnusable(state, row, options)
      : 'it came when no claim was under way';
  if (unused !== null) return refuseGrant(state, row, unused, now, options);
  const sent = {
    ...newTenure(row, now),
    beganAt: sentAt,
    serveBy: sentAt + options.serveWithinMs,
    provenBy: Math.max(sentAt, state.sleptAt),
  };
  // After a suspension nobody knows how old the grant is: it has to be renewed before it is used.
  const tenure =
    sentAt < state.sleptAt
      ? sent
      : {
          ...sent,
          trustedUntil: sentAt + options.ttlMs - options.marginMs,
          nextRenewAt: sentAt + options.renewEveryMs,
        };
  return begin(state, tenure, { kind: 'granted', term: row.term });
}

/**
 * The lease was handed over to us. Nothing is trusted until a renewal of our own was granted: from that
 * this node counts. One that was not announced, or comes too late, goes back.
 */
function takeHandedOver(state: RoleState, row: LeaseRow, now: number, options: RoleOptions): Step {
  const { expected } = state;
  const isExpected = expected !== null && now < expected.until && row.term > expected.term;
  const unused = isExpected
    ? whyGrantIsUnusable(state, row, options)
    : 'no hand-over was announced to this node';
  if (unused !== null) return refuseGrant(state, row, unused, now, options);
  const serveBy = now + options.serveHandedOverWithinMs;
  return begin(
    { ...state, expected: null },
    { ...newTenure(row, now), serveBy },
    {
      kind: 'taken-over',
      term: row.term,
    },
  );
}

function begin(state: RoleState, tenure: Tenure, story: Story): Step {
  // What was announced before this tenure would let its row, brought back by a fail-over of the store after
  // it was released, pass for a hand-over.
  const phase = { name: 'promoting', tenure, activated: false, isListening: false } as const;
  return only({ ...state, expected: null, forcedUntil: 0, phase }, [{ kind: 'tell', story }]);
}

function newTenure(row: LeaseRow, now: number): Tenure {
  return {
    term: row.term,
    trustedUntil: now,
    beganAt: now,
    serveBy: now,
    timeline: row.timeline,
    nextRenewAt: now,
    renewing: false,
    renewSeq: row.renewSeq,
    provenBy: now,
    failingSince: null,
    consent: noConsent,
  };
}

function refuseGrant(
  state: RoleState,
  row: LeaseRow,
  why: string,
  now: number,
  options: RoleOptions,
): Step {
  const claimNotBefore = now + options.pollEveryMs;
  const gaveBack = giveBackUnused({ ...notClaiming(state), expected: null, claimNotBefore }, row);
  const story = { kind: 'grant-not-used', term: row.term, why } as const;
  return only(gaveBack.state, [{ kind: 'tell', story }, ...gaveBack.effects]);
}

function whyGrantIsUnusable(state: RoleState, row: LeaseRow, options: RoleOptions): string | null {
  if (row.term <= state.boundTerm) return `the word was given for terms up to ${state.boundTerm}`;
  if (state.stopping) return 'this node is stopping';
  if (!canActivate(state, options)) return `the controller is ${state.controller} by now`;
  return null;
}

function giveBackUnused(state: RoleState, row: LeaseRow): Step {
  if (row.holder === null) return only(state);
  const held = { term: row.term, incarnation: row.holder.incarnation };
  return only({ ...state, givingBack: row.term }, [{ kind: 'release', held }]);
}

/**
 * Gives back what the earlier incarnation of this host holds: nobody else can know that it is dead, and
 * this heartbeat has proof. A lease of our node id in other hands is none of our business: it may be
 * alive on another host.
 */
function breakPredecessor(state: RoleState, row: LeaseRow, options: RoleOptions): Step {
  if (row.holder === null || row.holder.node !== options.self.node) return only(state);
  if (row.holder.incarnation !== state.predecessor) return only(state);
  const held = { term: row.term, incarnation: row.holder.incarnation };
  return only({ ...state, givingBack: row.term }, [
    { kind: 'tell', story: { kind: 'predecessor-found', term: row.term } },
    { kind: 'break', held },
  ]);
}

function claimAnswerLost(state: RoleState, error: string, now: number): Step {
  const { phase } = state;
  if (phase.name !== 'claiming') return only(state);
  return only({ ...state, phase: { ...phase, answerLost: true }, nextReadAt: now }, [
    { kind: 'tell', story: { kind: 'claim-answer-lost', error } },
  ]);
}

function notClaiming(state: RoleState): RoleState {
  return state.phase.name === 'claiming' ? { ...state, phase: { name: 'watching' } } : state;
}
