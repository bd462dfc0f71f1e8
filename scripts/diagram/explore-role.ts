import type { LeaseRow } from '@understudy/heartbeat/lease/port';
import { whyNoConsent } from '@understudy/heartbeat/role/failsafe';
import type {
  PhaseName,
  RoleEvent,
  RoleOptions,
  RoleState,
  Tenure,
} from '@understudy/heartbeat/role/state';
import { initialRole, stepRole } from '@understudy/heartbeat/role/step';
import { mayTestify, tenureOf } from '@understudy/heartbeat/role/view';

/** A change of phase that was seen, and the events that caused it. */
export interface Transition {
  readonly from: PhaseName;
  readonly to: PhaseName;
  readonly events: readonly string[];
}

export const exploredOptions: RoleOptions = {
  self: { node: 'a', incarnation: 'own' },
  ttlMs: 1_000,
  renewEveryMs: 300,
  callTimeoutMs: 100,
  marginMs: 100,
  pollEveryMs: 100,
  clockRateBound: 0.01,
  serveWithinMs: 500,
  drainMs: 400,
  standby: 'warm',
  peers: ['http://b'],
  mode: 'automatic',
  failbackMs: null,
  canHold: true,
  holdMs: 200,
  serveHandedOverWithinMs: 300,
  forwardMs: 500,
  limit: { claims: 30, windowMs: 300_000 },
};

/**
 * Walks the real role machine at random, from a fixed seed, with events that are possible in each state,
 * and collects every change of phase. The machine's invariants are asserted at each step on the way.
 */
export function exploreRole(walks: number, stepsPerWalk: number): readonly Transition[] {
  const random = makeRandom(20_261);
  const seen = new Map<string, Set<string>>();
  for (let walk = 0; walk < walks; walk++) {
    let now = 1_000;
    let state = initialRole(now);
    for (let i = 0; i < stepsPerWalk && state.phase.name !== 'stopped'; i++) {
      now += random() < 0.2 ? random() * 1_500 : random() * 100;
      const event = pick(somePossibleEvents(state, now, random), random);
      const next = stepRole(state, event, now, exploredOptions).state;
      note(seen, state.phase.name, next.phase.name, causeOf(state, event, next, now));
      state = next;
    }
  }
  return [...seen]
    .map(([key, events]) => {
      const [from, to] = key.split('>') as [PhaseName, PhaseName];
      return { from, to, events: [...events].sort() };
    })
    .sort((a, b) => `${a.from}${a.to}`.localeCompare(`${b.from}${b.to}`));
}

/** What caused a change of phase: time alone, if time alone would have led to the same phase. */
function causeOf(before: RoleState, event: RoleEvent, after: RoleState, now: number): string {
  if (after.phase.name === before.phase.name) return event.kind;
  const byTime = stepRole(before, { kind: 'tick' }, now, exploredOptions).state;
  return byTime.phase.name === after.phase.name ? 'tick' : event.kind;
}

function note(seen: Map<string, Set<string>>, from: PhaseName, to: PhaseName, event: string): void {
  if (from === to) return;
  const key = `${from}>${to}`;
  const events = seen.get(key) ?? new Set();
  events.add(event);
  seen.set(key, events);
}

/** The events that lead a healthy node on: most steps take one of them, so that walks get far. */
const LEADING = new Set<RoleEvent['kind']>([
  'controller-ready',
  'controller-serving',
  'claim-granted',
  'renew-granted',
  'given-back',
  'controller-held',
  'handed-over',
]);

function somePossibleEvents(
  state: RoleState,
  now: number,
  random: () => number,
): readonly RoleEvent[] {
  const possible = possibleEvents(state, now, random);
  const leading = possible.filter((event) => LEADING.has(event.kind));
  return leading.length > 0 && random() < 0.8 ? leading : possible;
}

function possibleEvents(state: RoleState, now: number, random: () => number): readonly RoleEvent[] {
  const term = state.highestTerm;
  const events: RoleEvent[] = [
    { kind: 'tick' },
    { kind: 'tick' },
    { kind: 'hint' },
    { kind: 'suspended' },
    { kind: 'heard-term', term: term + 1n },
    { kind: 'testimony', node: 'b', term },
  ];
  if (random() < 0.1) events.push({ kind: 'stop' });
  events.push(...operators(state, now, random));
  if (mayTestify(state, { term, incarnation: 'own' }, exploredOptions))
    events.push({ kind: 'testified', term });
  if (state.reading) events.push(...readings(state, random));
  return [...events, ...controllerEvents(state), ...answers(state, now)];
}

const successor = { holder: { node: 'b', incarnation: 'other' }, controllerUrl: 'http://b:1' };

/** What operators and peers may bring, now and then. */
function operators(state: RoleState, now: number, random: () => number): readonly RoleEvent[] {
  const { highestTerm: term } = state;
  if (random() < 0.7) return [];
  const events: RoleEvent[] = [
    { kind: 'switch-over-asked', successor },
    { kind: 'hand-over-expected', term: term - 1n, until: now + 500 },
    { kind: 'promote-ordered', until: now + 500, isForced: random() < 0.5 },
    { kind: 'disagreement', reason: random() < 0.2 ? 'another database' : null },
  ];
  if (whyNoConsent(state, term, now) === null)
    events.push({ kind: 'consented', term, until: now + 500 });
  return events;
}

function readings(state: RoleState, random: () => number): readonly RoleEvent[] {
  const term = state.highestTerm;
  return [
    { kind: 'lease-read', row: rowOf(term + 1n, 'b', 'other', random()) },
    { kind: 'lease-read', row: rowOf(term, 'a', 'own', random()) },
    { kind: 'lease-read', row: { ...rowOf(term, 'b', 'other', 0), released: true } },
    { kind: 'read-failed', error: 'away' },
  ];
}

function controllerEvents(state: RoleState): readonly RoleEvent[] {
  const { controller } = state;
  if (controller === 'none') return [];
  const events: RoleEvent[] = [
    { kind: 'controller-gone', detail: 'SIGKILL' },
    { kind: 'controller-unhealthy', detail: 'hung' },
    { kind: 'controller-unready', problems: ['the database is away'] },
    { kind: 'controller-saw-higher-term', term: state.highestTerm + 1n },
  ];
  if (state.phase.name === 'quiescing') {
    events.push(
      { kind: 'controller-held' },
      { kind: 'controller-hold-failed', reason: 'a request takes long' },
    );
  }
  if (controller === 'starting' || controller === 'unready')
    events.push({ kind: 'controller-ready' });
  const tenure = tenureOf(state);
  if (controller === 'activating' && tenure !== null) {
    events.push({ kind: 'controller-serving', term: tenure.term });
  }
  return events;
}

function answers(state: RoleState, now: number): readonly RoleEvent[] {
  const { phase } = state;
  switch (phase.name) {
    case 'claiming': {
      const row = rowOf(state.highestTerm + 1n, 'a', 'own', 0);
      return [
        { kind: 'claim-granted', sentAt: phase.sentAt, row },
        {
          kind: 'claim-refused',
          row: rowOf(row.term, 'b', 'other', 0),
          why: 'it changed',
          holdsStill: false,
        },
        { kind: 'claim-failed', error: 'no answer' },
      ];
    }
    case 'promoting':
    case 'serving':
    case 'quiescing':
    case 'draining':
      return renewals(phase.tenure, now);
    case 'handing-over':
      return [...renewals(phase.tenure, now), ...handOvers(phase.tenure.term, phase.attempt)];
    case 'releasing': {
      const { term } = phase;
      const row = { ...rowOf(term, 'a', 'own', 0), released: true };
      return [
        { kind: 'given-back', term, row },
        { kind: 'give-back-failed', term, error: 'no answer' },
      ];
    }
    default:
      return [];
  }
}

function renewals({ term, renewing, consent }: Tenure, now: number): readonly RoleEvent[] {
  const sentAt = now - 10;
  const asked = { peer: 'http://b', term, sentAt };
  const consents: RoleEvent[] =
    consent.nextAskAt === Number.NEGATIVE_INFINITY
      ? []
      : [
          { kind: 'consent-given', ...asked, forMs: exploredOptions.ttlMs },
          { kind: 'consent-refused', ...asked, why: 'store-fine', highestTerm: term },
        ];
  if (!renewing) return consents;
  return [
    ...consents,
    { kind: 'renew-granted', sentAt, row: rowOf(term, 'a', 'own', 0) },
    { kind: 'renew-failed', term, sentAt, error: 'no answer' },
    { kind: 'renew-refused', term, row: rowOf(term + 1n, 'b', 'other', 0) },
  ];
}

function handOvers(term: bigint, attempt: 'waiting' | 'sent' | 'unknown'): readonly RoleEvent[] {
  if (attempt !== 'sent') return [];
  return [
    { kind: 'handed-over', term, row: rowOf(term + 1n, 'b', 'other', 0) },
    { kind: 'hand-over-refused', term, row: rowOf(term, 'a', 'own', 0) },
    { kind: 'hand-over-refused', term, row: rowOf(term + 2n, 'c', 'third', 0) },
    { kind: 'hand-over-failed', term, error: 'no answer' },
  ];
}

function rowOf(term: bigint, node: string, incarnation: string, seq: number): LeaseRow {
  return {
    term,
    holder: { node, incarnation },
    renewSeq: BigInt(Math.floor(seq * 3)),
    released: false,
    storeSaysExpired: false,
    ttlMs: exploredOptions.ttlMs,
    timeline: 1,
    remainingMs: exploredOptions.ttlMs,
    pausedForMs: null,
  };
}

function pick<T>(from: readonly T[], random: () => number): T {
  const chosen = from[Math.floor(random() * from.length)];
  if (chosen === undefined) throw new Error('nothing to pick from');
  return chosen;
}

/** A small generator of numbers in [0, 1): the same seed walks the same way on every machine. */
function makeRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
