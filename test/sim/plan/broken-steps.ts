/** The role machine with one of its rules left out, by what goes into it. */
import { stepRole } from '@understudy/heartbeat/role/step';
import type { StepRole } from './rules.ts';

export const believeTheStoresClock: StepRole = (state, event, now, options) => {
  const { row } = state.watch;
  const silentSince = now - options.ttlMs * (1 + options.clockRateBound) - 1;
  const isExpired = row?.storeSaysExpired === true && !row.released;
  const changedAt = isExpired
    ? Math.min(state.watch.changedAt, silentSince)
    : state.watch.changedAt;
  return stepRole({ ...state, watch: { ...state.watch, changedAt } }, event, now, options);
};

export const countFromTheAnswer: StepRole = (state, event, now, options) =>
  stepRole(
    state,
    event.kind === 'claim-granted' || event.kind === 'renew-granted'
      ? { ...event, sentAt: now }
      : event,
    now,
    options,
  );

export const countConsentFromTheAnswer: StepRole = (state, event, now, options) =>
  stepRole(state, event.kind === 'consent-given' ? { ...event, sentAt: now } : event, now, options);

export const noMargin: StepRole = (state, event, now, options) =>
  stepRole(state, event, now, { ...options, marginMs: 0 });

export const neverSlept: StepRole = (state, event, now, options) => {
  const isProof = event.kind === 'claim-granted' || event.kind === 'renew-granted';
  return stepRole(
    isProof ? { ...state, sleptAt: Number.NEGATIVE_INFINITY } : state,
    event,
    now,
    options,
  );
};

export const takeAnyGrant: StepRole = (state, event, now, options) => {
  const { phase } = state;
  const forgetful =
    phase.name === 'claiming' ? { ...state, phase: { ...phase, above: -1n } } : state;
  return stepRole(forgetful, event, now, options);
};
