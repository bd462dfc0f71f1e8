import { unreachable } from '@understudy/shared/kernel/invariant';
import { type Judgement, judge } from '../suspicion/watch.ts';
import { fence } from './active.ts';
import type { RoleEffect, RoleOptions, RoleState, Step, Tenure } from './state.ts';
import { andThen, only } from './steps.ts';
import { canActivate, tenureOf } from './view.ts';

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
    case 'watching': {
      // What is under way answers by an event of its own.
      if (state.stopping) return Number.POSITIVE_INFINITY;
      if (state.givingBack !== null) return read;
      const judgement = judge(state.watch, state.testifiedTerm, now, options);
      const claim =
        judgement.kind === 'wait'
          ? judgement.until
          : canActivate(state, options)
            ? state.claimNotBefore
            : Number.POSITIVE_INFINITY;
      return Math.min(read, claim);
    }
    case 'claiming':
      return phase.answerLost ? read : Number.POSITIVE_INFINITY;
    case 'promoting':
      return Math.min(
        tenureWakeAt(phase.tenure, phase.activated),
        phase.tenure.beganAt + options.serveWithinMs,
      );
    case 'serving':
      return tenureWakeAt(phase.tenure);
    case 'draining':
      return Math.min(tenureWakeAt(phase.tenure), phase.until);
    default:
      return Number.POSITIVE_INFINITY;
  }
}

function tenureWakeAt(tenure: Tenure, isUsed = true): number {
  return Math.min(
    isUsed ? tenure.trustedUntil : Number.POSITIVE_INFINITY,
    tenure.renewing ? Number.POSITIVE_INFINITY : tenure.nextRenewAt,
  );
}

function watch(state: RoleState, now: number, options: RoleOptions): Step {
  if (state.stopping) return stopWhenClean(state);
  const started = startController(state, options);
  return andThen(started, (warm) => {
    const judgement = judge(warm.watch, warm.testifiedTerm, now, options);
    const read = readIfDue(warm, now, true);
    return andThen(read, (reading) =>
      judgement.kind === 'claim'
        ? claim(reading, judgement, now, options)
        : ask(reading, judgement.suspicious, now, options),
    );
  });
}

function stopWhenClean(state: RoleState): Step {
  if (state.controller !== 'none') return only(state, [{ kind: 'kill-controller' }]);
  if (state.givingBack !== null) return only(state);
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

type ClaimJudgement = Extract<Judgement, { kind: 'claim' }>;

function claim(
  state: RoleState,
  judgement: ClaimJudgement,
  now: number,
  options: RoleOptions,
): Step {
  const { row } = state.watch;
  if (row === null || state.givingBack !== null || now < state.claimNotBefore) return only(state);
  if (!canActivate(state, options)) return only(state);
  const { basis, evidence } = judgement;
  return only(
    {
      ...state,
      phase: { name: 'claiming', sentAt: now, answerLost: false, above: state.highestTerm },
    },
    [
      { kind: 'tell', story: { kind: 'claiming', basis, evidence } },
      {
        kind: 'claim',
        claim: {
          holder: options.self,
          basis,
          observed: { term: row.term, renewSeq: row.renewSeq, timeline: row.timeline },
          highestTerm: state.highestTerm,
          ttlMs: options.ttlMs,
          evidence,
          evenIfNotExpired: basis === 'silence' && judgement.evenIfNotExpired,
        },
      },
    ],
  );
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
  const isUsed = phase.name !== 'promoting' || phase.activated;
  if (!isTrusted && isUsed) {
    const detail = `no renewal of term ${tenure.term} succeeded in time`;
    return fence(state, { reason: 'trust-ran-out', detail }, now, options);
  }
  if (phase.name === 'promoting' && now >= tenure.beganAt + options.serveWithinMs) {
    const detail = `it did not serve within ${options.serveWithinMs} ms`;
    return fence(state, { reason: 'controller-did-not-serve', detail }, now, options);
  }
  if (phase.name === 'draining' && now >= phase.until) {
    return fence(state, phase.why, now, options);
  }
  const asked = { reason: 'asked-to-stop', detail: 'this heartbeat was asked to stop' } as const;
  if (state.stopping && phase.name === 'promoting') return fence(state, asked, now, options);
  const moved =
    state.stopping && phase.name === 'serving'
      ? only(
          {
            ...state,
            phase: { name: 'draining', tenure, until: now + options.drainMs, why: asked },
          },
          [
            { kind: 'tell', story: { kind: 'demoting', term: tenure.term, why: asked } },
            { kind: 'drain-controller', graceMs: options.drainMs },
          ],
        )
      : activateIfReady(state, isTrusted, options);
  return andThen(moved, (next) => renewIfDue(next, now, options));
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
  const { phase } = state;
  if (phase.name !== 'promoting' && phase.name !== 'serving' && phase.name !== 'draining') {
    return only(state);
  }
  const { tenure } = phase;
  if (tenure.renewing || now < tenure.nextRenewAt) return only(state);
  const effects: RoleEffect[] = [
    { kind: 'renew', held: { term: tenure.term, incarnation: options.self.incarnation } },
  ];
  return only({ ...state, phase: { ...phase, tenure: { ...tenure, renewing: true } } }, effects);
}
