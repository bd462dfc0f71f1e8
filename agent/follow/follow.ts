/**
 * Which controller an agent follows, and when it gives up. Pure: the process that runs it carries out
 * the effects and brings back events. It guarantees that no controller below the highest term seen is
 * followed, that giving up takes `limit` rounds without success, and that nothing is followed after it.
 */
import { unreachable } from '@understudy/shared/kernel/invariant';
import { maxTerm, type Term } from '@understudy/shared/kernel/term';
import { type Answer, chooseTarget, describeAnswers, type Target } from './choose.ts';

export interface FollowOptions {
  readonly everyMs: number;
  /** So many rounds in a row without a controller, and the agent gives up. */
  readonly limit: number;
}

/** A search for a controller, from the loss of one (or the start) until the next is followed. */
export interface Search {
  readonly sinceMs: number;
  /** Why there is a search. */
  readonly reason: string;
  /** Rounds begun, the one under way included. */
  readonly rounds: number;
  readonly roundAtMs: number;
  /** What the last failed round found. */
  readonly found: string;
}

export type FollowState = { readonly highest: Term; readonly last: Target | null } & (
  | { readonly phase: 'asking'; readonly search: Search }
  | { readonly phase: 'waiting'; readonly search: Search; readonly wakeAtMs: number }
  | { readonly phase: 'joining'; readonly search: Search; readonly target: Target }
  | { readonly phase: 'following'; readonly target: Target; readonly joinedAtMs: number }
  | { readonly phase: 'gave-up'; readonly search: Search }
);

/** How a controller was lost, or did not take us in. */
export interface Loss {
  readonly reason: string;
  /** The controller itself sent us away. */
  readonly leaving: boolean;
  /** The address of the one that it sent us to. */
  readonly next?: string | null;
  /** It is the active one and can't take us in for the moment: that is no round without a controller. */
  readonly patient?: boolean;
}

export type FollowEvent =
  /** A round is over. `jitter` in [0, 1). */
  | { readonly type: 'answered'; readonly answers: readonly Answer[]; readonly jitter: number }
  | { readonly type: 'woken' }
  /** The worker is registered and holds its order stream. */
  | { readonly type: 'joined'; readonly term: Term }
  /** Joining failed, or the stream is lost. */
  | ({ readonly type: 'lost'; readonly jitter: number } & Loss)
  | { readonly type: 'heard'; readonly term: Term };

export type FollowEffect =
  /**
   * Ask all controllers once. With `beyond`, again and again within the round until one serves a higher
   * term than that: the controller of that term has announced that the next one is near, and perhaps
   * where it is.
   */
  | { readonly type: 'ask'; readonly beyond: Term | null; readonly next: string | null }
  | { readonly type: 'wake'; readonly atMs: number }
  | { readonly type: 'follow'; readonly target: Target }
  | { readonly type: 'give-up'; readonly search: Search }
  | { readonly type: 'tell'; readonly news: News };

/** What is worth a line in the log. */
export type News =
  | { readonly type: 'lost'; readonly target: Target; readonly reason: string }
  | { readonly type: 'round-failed'; readonly search: Search; readonly changed: boolean }
  | {
      readonly type: 'followed';
      readonly target: Target;
      readonly from: Target | null;
      readonly afterMs: number;
      readonly rounds: number;
    };

export interface FollowStep {
  readonly state: FollowState;
  readonly effects: readonly FollowEffect[];
}

/** The first step: asks at once. `highest` is the highest term that the data folder knows. */
export function beginFollow(highest: Term, now: number): FollowStep {
  const search = { sinceMs: now, reason: 'just started', rounds: 1, roundAtMs: now, found: '' };
  return {
    state: { phase: 'asking', highest, last: null, search },
    effects: [{ type: 'ask', beyond: null, next: null }],
  };
}

/** One step of the machine. Events that do not fit the phase are late news and change nothing. */
export function stepFollow(
  state: FollowState,
  event: FollowEvent,
  now: number,
  options: FollowOptions,
): FollowStep {
  switch (event.type) {
    case 'answered':
      return answered(state, event.answers, event.jitter, options);
    case 'woken':
      return woken(state, now);
    case 'joined':
      return joined(state, event.term, now);
    case 'lost':
      return lost(state, event, now, options);
    case 'heard':
      return unchanged({ ...state, highest: maxTerm(state.highest, event.term) });
    default:
      return unreachable(event);
  }
}

function answered(
  state: FollowState,
  answers: readonly Answer[],
  jitter: number,
  options: FollowOptions,
): FollowStep {
  if (state.phase !== 'asking') return unchanged(state);
  const target = chooseTarget(answers, state.highest);
  if (target === null) {
    return roundFailed(state, describeAnswers(answers, state.highest), jitter, options);
  }
  const { last, search } = state;
  const highest = maxTerm(state.highest, target.term);
  return {
    state: { phase: 'joining', highest, last, search, target },
    effects: [{ type: 'follow', target }],
  };
}

function woken(state: FollowState, now: number): FollowStep {
  if (state.phase !== 'waiting' || now < state.wakeAtMs) return unchanged(state);
  const search = { ...state.search, rounds: state.search.rounds + 1, roundAtMs: now };
  return {
    state: { phase: 'asking', highest: state.highest, last: state.last, search },
    effects: [{ type: 'ask', beyond: null, next: null }],
  };
}

function joined(state: FollowState, term: Term, now: number): FollowStep {
  if (state.phase !== 'joining' || term < state.highest) return unchanged(state);
  const { last: from, search } = state;
  const target = { ...state.target, term };
  const afterMs = now - search.sinceMs;
  return {
    state: { phase: 'following', highest: term, last: target, target, joinedAtMs: now },
    effects: [
      { type: 'tell', news: { type: 'followed', target, from, afterMs, rounds: search.rounds } },
    ],
  };
}

function lost(
  state: FollowState,
  event: Extract<FollowEvent, { type: 'lost' }>,
  now: number,
  options: FollowOptions,
): FollowStep {
  if (state.phase === 'joining') {
    const found = `${state.target.url}: ${event.reason}`;
    if (event.patient !== true) return roundFailed(state, found, event.jitter, options);
    const { search } = state;
    const uncounted = { ...state, search: { ...search, rounds: search.rounds - 1 } };
    return roundFailed(uncounted, found, event.jitter, options);
  }
  if (state.phase !== 'following') return unchanged(state);
  const { highest, last, target, joinedAtMs } = state;
  const tell = { type: 'tell', news: { type: 'lost', target, reason: event.reason } } as const;
  const search = { sinceMs: now, reason: event.reason, rounds: 1, roundAtMs: now, found: '' };
  // A controller that takes us in and drops us at once must not be asked without a pause.
  const calm = now - joinedAtMs >= options.everyMs;
  if (calm || event.leaving) {
    return {
      state: { phase: 'asking', highest, last, search },
      effects: [tell, askAfter(event, target)],
    };
  }
  const wakeAtMs = nextRoundAt(joinedAtMs, event.jitter, options);
  return {
    state: { phase: 'waiting', highest, last, search: { ...search, rounds: 0 }, wakeAtMs },
    effects: [tell, { type: 'wake', atMs: wakeAtMs }],
  };
}

function askAfter({ leaving, next = null }: Loss, target: Target): FollowEffect {
  return { type: 'ask', beyond: leaving ? target.term : null, next: leaving ? next : null };
}

function roundFailed(
  state: FollowState & { readonly search: Search },
  found: string,
  jitter: number,
  options: FollowOptions,
): FollowStep {
  const { highest, last } = state;
  const search = { ...state.search, found };
  const changed = found !== state.search.found;
  const tell = { type: 'tell', news: { type: 'round-failed', search, changed } } as const;
  if (search.rounds >= options.limit) {
    return {
      state: { phase: 'gave-up', highest, last, search },
      effects: [tell, { type: 'give-up', search }],
    };
  }
  const wakeAtMs = nextRoundAt(search.roundAtMs, jitter, options);
  return {
    state: { phase: 'waiting', highest, last, search, wakeAtMs },
    effects: [tell, { type: 'wake', atMs: wakeAtMs }],
  };
}

/** Jitter only shortens the pause: `limit` rounds never take longer than configured. */
function nextRoundAt(roundAtMs: number, jitter: number, options: FollowOptions): number {
  return roundAtMs + options.everyMs * (1 - 0.2 * jitter);
}

function unchanged(state: FollowState): FollowStep {
  return { state, effects: [] };
}
