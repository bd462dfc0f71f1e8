import type { HistoryOptions } from '../history.ts';
import type { StoreRules } from '../store/tables.ts';
import {
  believeTheStoresClock,
  countConsentFromTheAnswer,
  countFromTheAnswer,
  neverSlept,
  noMargin,
  takeAnyGrant,
} from './broken-steps.ts';
import type { FaultKind } from './fault-kinds.ts';
import { type Knobs, wrapped } from './knobs.ts';
import { type Rules, type StepRole, soundRules } from './rules.ts';

/** A pair in which one rule is not kept. The checks must catch it, or they prove nothing about that rule. */
export interface Mutant {
  readonly name: string;
  /** What the rule that it breaks is for. */
  readonly breaks: string;
  readonly rules: Rules;
  /** Makes the fault likely that the rule is there for. */
  readonly shape?: NonNullable<HistoryOptions['shape']>;
  /** It must be caught within so many histories. */
  readonly within: number;
}

export const mutants: readonly Mutant[] = [
  {
    name: 'no fence',
    breaks: 'a transaction of an old term never commits',
    rules: withStore({ isFenced: false, isLocked: false }),
    shape: lateMessages('crash-controller', 'isolate', 'slow-store'),
    within: 4_000,
  },
  {
    name: 'fence without lock',
    breaks: 'a transaction that passed the fence before a grant does not commit after it',
    rules: withStore({ isLocked: false }),
    shape: faults('freeze-host', 'pause-controller', 'pause-heartbeat', 'slow-store'),
    within: 4_000,
  },
  {
    name: 'claim without comparing',
    breaks: 'a claim counts only for what was observed',
    rules: withStore({ comparesOnClaim: false }),
    within: 2_000,
  },
  {
    name: 'term without timeline',
    breaks: 'a replica never gives out a term twice',
    rules: withStore({ timelineIsInTerm: false }),
    shape: faults('store-fail-over', 'crash-controller', 'isolate'),
    within: 4_000,
  },
  {
    name: 'a release survives a fail-over of the store',
    breaks: 'a release counts on its own timeline only',
    rules: withStore({ releaseIsOfItsTimeline: false }),
    shape: faults('store-fail-over', 'crash-controller', 'cut-store'),
    within: 4_000,
  },
  {
    name: 'a word survives a fail-over of the store',
    breaks: 'release and testimony count only on the timeline on which the lease was held',
    rules: withStore({ wordIsOfItsTimeline: false }),
    shape: faults('store-fail-over', 'crash-controller', 'cut-store'),
    within: 4_000,
  },
  {
    name: 'a late renewal resurrects',
    breaks: 'an expired lease is never raised from the dead',
    rules: withStore({ lateRenewalIsRefused: false }),
    within: 2_000,
  },
  {
    name: 'no deadline in the controller',
    breaks: 'a controller answers nobody after its tenure, whatever its heartbeat does',
    rules: { ...soundRules, controllerHasDeadline: false },
    shape: faults('pause-heartbeat'),
    within: 2_000,
  },
  {
    name: 'old controller kept by a restarted heartbeat',
    breaks: 'a heartbeat ends what it finds before it speaks for its predecessor',
    rules: { ...soundRules, startEndsPredecessor: false, isTied: false },
    shape: faults('crash-heartbeat'),
    within: 2_000,
  },
  {
    name: 'testimony that does not bind',
    breaks: 'whoever gives its word ignores a grant that is still under way',
    rules: { ...soundRules, testimonyBinds: false },
    shape: faults('slow-store', 'cut-store-answers', 'store-disk-stall', 'crash-heartbeat'),
    within: 20_000,
  },
  {
    name: 'promise ignored',
    breaks: 'whoever promised to stay passive claims nothing by silence before its time is over',
    rules: { ...soundRules, promiseBinds: false },
    shape: faults('store-unreachable', 'store-freeze', 'store-disk-stall', 'cut-store'),
    within: 20_000,
  },
  {
    name: 'the promise is counted from the answer',
    breaks:
      'a peer is bound from when it heard the question, and the holder counts from when it asked',
    rules: withStep(countConsentFromTheAnswer),
    shape: (knobs, dice) => ({
      ...faults(
        'slow-peers',
        'store-unreachable',
        'cut-peers',
        'cut-store',
        'store-freeze',
      )(knobs, dice),
      actLagMs: 45,
    }),
    within: 50_000,
  },
  {
    name: 'hand-over by a controller that goes on',
    breaks: 'the right to write of the old active ends before the lease is handed over',
    rules: { ...soundRules, holdStops: false },
    shape: faults('switch-over'),
    within: 2_000,
  },
  {
    name: 'hand-over without comparing',
    breaks: 'a renewal proves that a hand-over of unknown outcome will not happen',
    rules: withStore({ comparesOnHandOver: false }),
    shape: lateMessages('switch-over', 'slow-store', 'cut-store-answers'),
    within: 10_000,
  },
  {
    name: 'claim on a refused connection',
    breaks: 'a refused connection proves nothing',
    rules: { ...soundRules, refusalIsNoProof: false },
    shape: faults('reject-peers', 'slow-store', 'cut-store-requests'),
    within: 2_000,
  },
  {
    name: 'no incarnation',
    breaks: 'a node id alone never identifies a holder',
    rules: { ...soundRules, hasIncarnations: false },
    shape: (knobs) => ({ ...knobs, nodes: ['a', 'a'] }),
    within: 2_000,
  },
  {
    name: 'agent without term check',
    breaks: 'an agent refuses orders of a term below the highest that it has seen',
    rules: { ...soundRules, agentChecksTerm: false },
    shape: withAgents('pause-agent', 'crash-controller', 'crash-heartbeat', 'isolate'),
    within: 10_000,
  },
  {
    name: 'agent without journal',
    breaks: 'what is not in the journal of an agent was never started by it',
    rules: { ...soundRules, agentJournals: false },
    shape: withAgents('crash-agent', 'crash-controller', 'cut-agent-one-way'),
    within: 2_000,
  },
  {
    name: 'a follower after the end of its cause',
    breaks: 'a run that follows another one is committed with the end of that one',
    rules: { ...soundRules, followersTravelWithCause: false },
    shape: withAgents('crash-controller', 'crash-heartbeat', 'slow-store'),
    within: 4_000,
  },
  {
    name: "the store's clock alone",
    breaks: 'silence is observed on the own clock as well',
    rules: withStep(believeTheStoresClock),
    shape: faults('store-clock-jump'),
    within: 2_000,
  },
  {
    name: 'the deadline is counted from the answer',
    breaks: 'trust begins when the attempt began',
    rules: withStep(countFromTheAnswer),
    shape: faults('slow-store', 'isolate', 'cut-store', 'store-disk-stall'),
    within: 20_000,
  },
  {
    name: 'no margin',
    breaks: 'clocks differ, and to act takes time',
    rules: withStep(noMargin),
    shape: (knobs, dice) => ({
      ...wrapped(faults('isolate', 'cut-store')(knobs, dice)),
      killMs: 45,
    }),
    within: 20_000,
  },
  {
    name: 'a claim is not proven after a suspension',
    breaks: 'an answer that waited out a suspension proves nothing',
    rules: withStep(neverSlept),
    shape: faults('vm-pause'),
    within: 4_000,
  },
  {
    name: 'an old grant taken for the answer to a claim',
    breaks: 'a grant is above every term that was heard of when it was claimed',
    rules: withStep(takeAnyGrant),
    shape: faults('store-fail-over', 'freeze-host', 'cut-store-answers'),
    within: 40_000,
  },
];

function withStore(broken: Partial<StoreRules> & Partial<Rules['store']>): Rules {
  return { ...soundRules, store: { ...soundRules.store, ...broken } };
}

function withStep(step: StepRole): Rules {
  return { ...soundRules, step };
}

/** The same, with agents. */
function withAgents(...kinds: readonly FaultKind[]): NonNullable<HistoryOptions['shape']> {
  return (knobs, dice) => {
    const shaped = lateMessages(...kinds)(knobs, dice);
    return { ...shaped, work: { ...shaped.work, agents: 2 } };
  };
}

/** The same, in a network in which messages may come seconds late. */
function lateMessages(...kinds: readonly FaultKind[]): NonNullable<HistoryOptions['shape']> {
  return (knobs, dice) => {
    const shaped = faults(...kinds)(knobs, dice);
    const network = { ...shaped.network, lateChance: 0.6, tailChance: 0.03, tailMs: 3_000 };
    return { ...shaped, network };
  };
}

/** These faults above all, and often. */
function faults(...kinds: readonly FaultKind[]): NonNullable<HistoryOptions['shape']> {
  return (knobs: Knobs, dice) => ({
    ...knobs,
    // What is added here need not be borne, and may stop a guard together with its program.
    isCalm: false,
    isWrapped: false,
    faults: {
      ...knobs.faults,
      kinds: [...knobs.faults.kinds.slice(0, 3), ...kinds.map((kind) => [kind, 3] as const)],
      everyMs: Math.min(knobs.faults.everyMs, 4_000),
      ambush: dice.chance(0.5) ? 0.3 : knobs.faults.ambush,
    },
  });
}
