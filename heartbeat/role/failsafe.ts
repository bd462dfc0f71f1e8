import { fence } from './fence.ts';
import type {
  Consent,
  ConsentRefusal,
  RoleEffect,
  RoleEvent,
  RoleOptions,
  RoleState,
  Step,
  Tenure,
} from './state.ts';
import { isUsed, learnTerm, only, withTenure } from './steps.ts';
import { tenureOf } from './view.ts';

/** What a busy host may take to send a question and to take in its answer. */
const SLACK_MS = 50;

/** Nothing is in doubt: nobody was asked. */
export const noConsent: Consent = {
  nextAskAt: Number.NEGATIVE_INFINITY,
  until: {},
  storeFine: null,
  failsafeSince: null,
};

/**
 * When the peers are to be asked for their consent: late enough for a renewal that failed to be tried
 * again, early enough for their answers, each of which may wait for a write probe.
 */
export function askConsentAt(tenure: Tenure, options: RoleOptions): number {
  const { consent, failingSince, trustedUntil } = tenure;
  if (failingSince === null) return Number.POSITIVE_INFINITY;
  if (consent.failsafeSince !== null) return consent.nextAskAt;
  return Math.max(consent.nextAskAt, trustedUntil - 2 * options.callTimeoutMs - SLACK_MS);
}

/** Asks every peer, when it is time. A node without peers needs nobody's consent. */
export function askConsentIfDue(state: RoleState, now: number, options: RoleOptions): Step {
  const tenure = tenureOf(state);
  if (tenure === null || !isUsed(state) || now < askConsentAt(tenure, options)) return only(state);
  // As long as the lease may be on its way to a peer, that peer can't be asked to stay passive.
  if (state.phase.name === 'handing-over') return only(state);
  const inFailsafe = tenure.consent.failsafeSince !== null;
  const nextAskAt = now + (inFailsafe ? options.renewEveryMs : options.callTimeoutMs);
  const asked = withTenure(state, (each) => ({
    ...each,
    consent: { ...each.consent, nextAskAt },
  }));
  if (options.peers.length === 0) return extendByConsent(asked, now, now, options);
  const held = { term: tenure.term, incarnation: options.self.incarnation };
  return only(asked, [{ kind: 'ask-consent', held, forMs: options.ttlMs }]);
}

type Given = Extract<RoleEvent, { kind: 'consent-given' }>;

/** A peer is bound. Once all are, trust lasts as long as the shortest of their promises, less the margin. */
export function consentGiven(
  state: RoleState,
  event: Given,
  now: number,
  options: RoleOptions,
): Step {
  const tenure = tenureOf(state);
  if (tenure === null || tenure.term !== event.term || !options.peers.includes(event.peer)) {
    return only(state);
  }
  // What was asked before a sleep proves nothing, and trust that ran out is not brought back.
  if (event.sentAt < tenure.provenBy || now >= tenure.trustedUntil) return only(state);
  // Counted from when it was asked: the peer counts from when it heard, which is later.
  const until = {
    ...tenure.consent.until,
    [event.peer]: Math.max(
      tenure.consent.until[event.peer] ?? Number.NEGATIVE_INFINITY,
      event.sentAt + Math.min(event.forMs, options.ttlMs),
    ),
  };
  const noted = withTenure(state, (each) => ({
    ...each,
    consent: {
      ...each.consent,
      until,
      storeFine: each.consent.storeFine?.peer === event.peer ? null : each.consent.storeFine,
    },
  }));
  const shortest = Math.min(
    ...options.peers.map((peer) => until[peer] ?? Number.NEGATIVE_INFINITY),
  );
  return extendByConsent(noted, shortest - options.ttlMs, now, options);
}

/** Trust lasts for F less the margin from `boundAt`, the instant from which all peers are bound at least. */
function extendByConsent(
  state: RoleState,
  boundAt: number,
  now: number,
  options: RoleOptions,
): Step {
  const tenure = tenureOf(state);
  const trustedUntil = boundAt + options.ttlMs - options.marginMs;
  if (tenure === null || tenure.failingSince === null || trustedUntil <= tenure.trustedUntil) {
    return only(state);
  }
  // Whoever is not in our configuration was not asked, and is not bound.
  if (state.peersHeard > options.peers.length) return only(state);
  const { term, consent } = tenure;
  const effects: RoleEffect[] = [{ kind: 'extend-tenure', term, trustedUntil, failsafe: true }];
  if (consent.failsafeSince === null) {
    const story = { kind: 'failsafe-begun', term, peers: options.peers } as const;
    effects.push({ kind: 'tell', story });
  }
  const failsafeSince = consent.failsafeSince ?? now;
  return only(
    withTenure(state, (each) => ({
      ...each,
      trustedUntil,
      consent: { ...each.consent, failsafeSince, nextAskAt: now + options.renewEveryMs },
    })),
    effects,
  );
}

type Refused = Extract<RoleEvent, { kind: 'consent-refused' }>;

/** A peer does not consent: one refusal is enough for trust to run out. */
export function consentRefused(
  state: RoleState,
  event: Refused,
  now: number,
  options: RoleOptions,
): Step {
  const tenure = tenureOf(state);
  const learned = learnTerm(state, event.highestTerm);
  if (tenure === null || tenure.term !== event.term) return only(learned);
  if (event.highestTerm > tenure.term) {
    const detail = `${event.peer} knows of term ${event.highestTerm}`;
    return fence(learned, { reason: 'higher-term-seen', detail }, now, options);
  }
  const { peer, why } = event;
  const tell: RoleEffect = { kind: 'tell', story: { kind: 'consent-refused', peer, why } };
  if (tenure.failingSince === null) return only(learned);
  if (why !== 'store-fine') return only(learned, [tell]);
  const isFirst = tenure.consent.storeFine === null;
  return only(
    withTenure(learned, (each) => ({
      ...each,
      consent: {
        ...each.consent,
        storeFine: each.consent.storeFine ?? { peer, askedAt: event.sentAt },
      },
    })),
    isFirst ? [tell] : [],
  );
}

/**
 * Whether a renewal that failed settles it: a peer reached the store, and this node, which had time to
 * connect anew since, did not.
 */
export function isCutOff(tenure: Tenure, renewalSentAt: number, options: RoleOptions): boolean {
  const { storeFine } = tenure.consent;
  return storeFine !== null && renewalSentAt >= storeFine.askedAt + options.callTimeoutMs;
}

/** Why this node does not bind itself to stay passive for the holder of `term`; null when it may. */
export function whyNoConsent(state: RoleState, term: bigint, now: number): ConsentRefusal | null {
  if (state.highestTerm > term || state.testifiedTerm >= term) return 'higher-term';
  if (state.phase.name === 'claiming') return 'claiming';
  if (state.phase.name !== 'watching') return 'not-passive';
  // Somebody is about to give us the role. If the giver itself asks, nothing came of it.
  const { expected } = state;
  const isExpecting = expected !== null && now < expected.until && expected.term !== term;
  return isExpecting ? 'not-passive' : null;
}

/** Notes our promise. It is kept also when the same holder asks for less later. */
export function consented(state: RoleState, term: bigint, until: number, now: number): Step {
  const learned = learnTerm(state, term);
  const before = state.promise;
  const isNew = before === null || before.term !== term || before.until <= now;
  const later = Math.max(until, before?.until ?? Number.NEGATIVE_INFINITY);
  const expected = learned.expected?.term === term ? null : learned.expected;
  return only(
    { ...learned, expected, promise: { term, until: later } },
    isNew ? [{ kind: 'tell', story: { kind: 'consented', term, forMs: until - now } }] : [],
  );
}
