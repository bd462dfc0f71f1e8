import { unreachable } from '@understudy/shared/kernel/invariant';
import { claim, claimAt, judgeLease } from './claiming.ts';
import { askConsentAt, askConsentIfDue } from './failsafe.ts';
import { fence } from './fence.ts';
import type { RoleOptions, RoleState, Step, Tenure } from './state.ts';
import { andThen, isUsed, only, withTenure } from './steps.ts';
import { quiesceInTime, sendWhenRenewed } from './switch-over.ts';
import { tenureOf, whyNotReady } from './view.ts';

/** A preferred node that was refused does not ask again sooner than this. */
const LEAST_FAILBACK_PAUSE_MS = 5_000;
const MOST_DOUBLINGS = 10;

/** Does what the phase calls for at `now`, given the facts. Calling it again changes nothing. */
export function pursue(step: Step, now: number, options: RoleOptions): Step {
  return andThen(step, (state) => {
    switch (state.phase.name) {
      case 'watching':
        return watch(state, now, options);
      case 'claiming':
        return state.stopping && state.phase.answerLost
          ? only({ ...state, phase: { name: 'watching' } })
          : readIfDue(state, now, state.phase.answerLost);
      case 'promoting':
      case 'serving':
      case 'quiescing':
      case 'handing-over':
      case 'draining':
        return hold(state, now, options);
      case 'fencing':
      case 'releasing':
      case 'stopped':
        return only(state);
      default:
        return unreachable(state.phase);
    }
  });
}

/** The next instant at which a tick is due, in milliseconds of the monotonic clock. */
export function wakeAt(state: RoleState, now: number, options: RoleOptions): number {
  const { phase } = state;
  const read = state.reading ? Number.POSITIVE_INFINITY : state.nextReadAt;
  switch (phase.name) {
    case 'watching':
      return watchingWakeAt(state, read, now, options);
    case 'claiming':
      return phase.answerLost ? read : Number.POSITIVE_INFINITY;
    case 'promoting':
      return Math.min(tenureWakeAt(state, phase.tenure, options), phase.tenure.serveBy);
    case 'serving':
    case 'handing-over':
      return tenureWakeAt(state, phase.tenure, options);
    case 'quiescing':
    case 'draining':
      return Math.min(tenureWakeAt(state, phase.tenure, options), phase.until);
    default:
      return Number.POSITIVE_INFINITY;
  }
}

function watchingWakeAt(state: RoleState, read: number, now: number, options: RoleOptions): number {
  const forwarding = state.forwarding?.until ?? Number.POSITIVE_INFINITY;
  // What is under way answers by an event of its own.
  if (state.stopping) {
    const { expected } = state;
    if (expected === null || !isExpecting(state, now)) return forwarding;
    return Math.min(forwarding, read, expected.until);
  }
  if (state.givingBack !== null) return Math.min(read, forwarding);
  const judgement = judgeLease(state, now, options);
  const next =
    judgement.kind === 'wait'
      ? Math.min(
          judgement.until,
          judgement.suspicious ? Number.POSITIVE_INFINITY : failbackAt(state, options),
        )
      : claimAt(state, judgement, now, options);
  return Math.min(read, next, forwarding);
}

function tenureWakeAt(state: RoleState, tenure: Tenure, options: RoleOptions): number {
  const isUnderWay = tenure.renewing || !renewsNow(state);
  return Math.min(
    isUsed(state) ? tenure.trustedUntil : Number.POSITIVE_INFINITY,
    isUsed(state) ? askConsentAt(tenure, options) : Number.POSITIVE_INFINITY,
    isUnderWay ? Number.POSITIVE_INFINITY : tenure.nextRenewAt,
  );
}

function watch(state: RoleState, now: number, options: RoleOptions): Step {
  if (state.forwarding !== null) {
    const ended = endForwarding(state, state.forwarding, now, options);
    if (state.stopping) return ended;
    return andThen(ended, (next) => readAndJudge(next, now, options));
  }
  if (state.stopping) return stopWhenClean(state, now);
  const started = startController(state, options);
  return andThen(started, (warm) => readAndJudge(warm, now, options));
}

function readAndJudge(state: RoleState, now: number, options: RoleOptions): Step {
  const judgement = judgeLease(state, now, options);
  const noted = noteReady(state, now, options);
  return andThen(readIfDue(noted, now, true), (reading) =>
    judgement.kind === 'claim'
      ? claim(reading, judgement, now, options)
      : andThen(ask(reading, judgement.suspicious, now, options), (asked) =>
          askForRole(asked, judgement.suspicious, now, options),
        ),
  );
}

/**
 * Our old controller passes on what comes to it, for a while. It ends when the time is over, and at once
 * when the role is free again, for it can't be activated any more.
 */
function endForwarding(
  state: RoleState,
  forwarding: NonNullable<RoleState['forwarding']>,
  now: number,
  options: RoleOptions,
): Step {
  const isFree = judgeLease(state, now, options).kind === 'claim';
  const isOver = now >= forwarding.until;
  const until = now + options.drainMs;
  if (isFree || (isOver && forwarding.isEnding)) {
    return only({ ...state, forwarding: { until, isEnding: true } }, [{ kind: 'kill-controller' }]);
  }
  if ((isOver || state.stopping) && !forwarding.isEnding) {
    return only({ ...state, forwarding: { until, isEnding: true } }, [
      { kind: 'drain-controller', graceMs: options.drainMs },
    ]);
  }
  return only(state);
}

function isExpecting({ expected }: RoleState, now: number): boolean {
  return expected !== null && now < expected.until;
}

function noteReady(state: RoleState, now: number, options: RoleOptions): RoleState {
  const isReady = whyNotReady(state, options).length === 0;
  if (isReady === (state.readySince !== null)) return state;
  return { ...state, readySince: isReady ? now : null };
}

/** When a preferred node asks for the role: it was ready for long enough, and somebody else is active. */
function failbackAt(state: RoleState, options: RoleOptions): number {
  const { row } = state.watch;
  const isOthers = row !== null && row.holder !== null && row.holder.node !== options.self.node;
  if (options.failbackMs === null || options.mode === 'manual' || state.readySince === null) {
    return Number.POSITIVE_INFINITY;
  }
  if (!isOthers || row.released) return Number.POSITIVE_INFINITY;
  return Math.max(state.readySince + options.failbackMs, state.nextFailbackAt, state.pausedUntil);
}

function askForRole(
  state: RoleState,
  suspicious: boolean,
  now: number,
  options: RoleOptions,
): Step {
  if (suspicious || state.readySince === null || now < failbackAt(state, options)) {
    return only(state);
  }
  // A preferred node that fails each time it gets the role asks for it more and more rarely.
  const pauseMs =
    Math.max(options.failbackMs ?? 0, LEAST_FAILBACK_PAUSE_MS) *
    2 ** Math.min(state.earlyFailures, MOST_DOUBLINGS);
  const readyForMs = now - state.readySince;
  return only({ ...state, nextFailbackAt: now + pauseMs }, [
    { kind: 'tell', story: { kind: 'asks-for-role', readyForMs } },
    { kind: 'ask-switch-over' },
  ]);
}

function stopWhenClean(state: RoleState, now: number): Step {
  if (state.controller !== 'none') return only(state, [{ kind: 'kill-controller' }]);
  if (state.givingBack !== null) return only(state);
  // A lease that a peer is about to hand over to us goes back before we go.
  if (isExpecting(state, now)) return readIfDue(state, now, true);
  return only({ ...state, phase: { name: 'stopped' } }, [{ kind: 'finish' }]);
}

function startController(state: RoleState, options: RoleOptions): Step {
  if (options.standby === 'cold' || state.controller !== 'none') return only(state);
  return only({ ...state, controller: 'starting' }, [{ kind: 'start-controller' }]);
}

function readIfDue(state: RoleState, now: number, wanted: boolean): Step {
  if (!wanted || state.reading || now < state.nextReadAt) return only(state);
  return only({ ...state, reading: true }, [{ kind: 'read-lease' }]);
}

/** Renewals are missing, or a peer hinted: asks the holder's host for its word. */
function ask(state: RoleState, suspicious: boolean, now: number, options: RoleOptions): Step {
  const { row } = state.watch;
  if (row === null || row.holder === null || row.released) return only(state);
  const wanted = suspicious || now < state.askUntil;
  if (!wanted || now < state.nextAskAt) return only(state);
  return only({ ...state, nextAskAt: now + options.callTimeoutMs }, [
    { kind: 'ask-testimony', held: { term: row.term, incarnation: row.holder.incarnation } },
  ]);
}

function hold(state: RoleState, now: number, options: RoleOptions): Step {
  const { phase } = state;
  const tenure = tenureOf(state);
  if (tenure === null) return only(state);
  const isTrusted = now < tenure.trustedUntil;
  if (!isTrusted && isUsed(state)) {
    const detail = `no renewal of term ${tenure.term} succeeded in time`;
    return fence(state, { reason: 'trust-ran-out', detail }, now, options);
  }
  if (phase.name === 'promoting' && now >= tenure.serveBy) {
    const detail = `it did not serve within ${Math.round(tenure.serveBy - tenure.beganAt)} ms`;
    return fence(state, { reason: 'controller-did-not-serve', detail }, now, options);
  }
  if (phase.name === 'draining' && now >= phase.until) {
    return fence(state, phase.why, now, options);
  }
  return andThen(move(state, isTrusted, now, options), (moved) =>
    andThen(renewIfDue(moved, now, options), (next) => askConsentIfDue(next, now, options)),
  );
}

/** What the phase does next, trust being given. */
function move(state: RoleState, isTrusted: boolean, now: number, options: RoleOptions): Step {
  const { phase } = state;
  const asked = { reason: 'asked-to-stop', detail: 'this heartbeat was asked to stop' } as const;
  switch (phase.name) {
    case 'promoting':
      return state.stopping
        ? fence(state, asked, now, options)
        : activateIfReady(state, isTrusted, options);
    case 'serving': {
      if (!state.stopping) return only(state);
      const { tenure } = phase;
      const until = now + options.drainMs;
      return only({ ...state, phase: { name: 'draining', tenure, until, why: asked } }, [
        { kind: 'tell', story: { kind: 'demoting', term: tenure.term, why: asked } },
        { kind: 'drain-controller', graceMs: options.drainMs },
      ]);
    }
    case 'quiescing':
      return quiesceInTime(state, phase, now, options);
    case 'handing-over':
      return sendWhenRenewed(state, options);
    default:
      return only(state);
  }
}

function activateIfReady(state: RoleState, isTrusted: boolean, options: RoleOptions): Step {
  const { phase } = state;
  if (phase.name !== 'promoting' || phase.activated) return only(state);
  if (state.controller === 'none') {
    if (options.standby === 'warm') return only(state);
    return only({ ...state, controller: 'starting' }, [{ kind: 'start-controller' }]);
  }
  if (state.controller !== 'ready' || !isTrusted) return only(state);
  const { term, trustedUntil } = phase.tenure;
  return only({ ...state, controller: 'activating', phase: { ...phase, activated: true } }, [
    { kind: 'activate-controller', term, trustedUntil },
  ]);
}

function renewIfDue(state: RoleState, now: number, options: RoleOptions): Step {
  const tenure = tenureOf(state);
  if (tenure === null || !renewsNow(state)) return only(state);
  if (tenure.renewing || now < tenure.nextRenewAt) return only(state);
  const held = { term: tenure.term, incarnation: options.self.incarnation };
  const evenIfExpired = tenure.consent.failsafeSince !== null;
  return only(
    withTenure(state, (each) => ({ ...each, renewing: true })),
    [{ kind: 'renew', held, evenIfExpired }],
  );
}

/** A renewal beside a hand-over would make it fail; after one of unknown outcome it settles it. */
function renewsNow({ phase }: RoleState): boolean {
  return phase.name !== 'handing-over' || phase.attempt === 'unknown';
}
