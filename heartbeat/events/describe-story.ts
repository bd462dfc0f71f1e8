import { unreachable } from '@understudy/shared/kernel/invariant';
import type { Demotion, Story } from '../role/state.ts';
import { narrate } from '../role/story.ts';
import { draft, type EventDraft } from './draft.ts';
import { claimRules, demotionRules, rules } from './rules.ts';

/** The kind of the event of a new service; it carries the measured interruption. */
export const SERVED = 'served';

/** Puts a story of the role machine down as an event: with the rule that decided and what was seen. */
export function describeStory(story: Story): EventDraft {
  const { message } = narrate(story);
  const event = (rest: Partial<EventDraft>) => draft(story.kind, message, rest);
  switch (story.kind) {
    case 'claiming': {
      const { basis, evidence } = story;
      return event({ rule: claimRule(basis), evidence, facts: { basis } });
    }
    case 'claim-refused':
      return event({ rule: rules.refusal, evidence: story.why });
    case 'claim-answer-lost':
      return event({ rule: rules.lostAnswer, evidence: story.error });
    case 'granted':
      return event({ term: story.term, rule: rules.grant });
    case 'grant-not-used':
      return event({ term: story.term, rule: rules.unusedGrant, evidence: story.why });
    case 'serving':
      return event({
        kind: SERVED,
        term: story.term,
        rule: rules.serve,
        facts: { sinceClaimMs: Math.round(story.afterMs) },
      });
    case 'demoting':
      return describeDemotion(event, story.term, story.why);
    case 'fenced':
      return event({ term: story.term, rule: rules.fence });
    case 'given-back':
      return event({ term: story.term, rule: rules.fence });
    case 'give-back-failed':
      return event({ term: story.term, rule: rules.giveBackFailed, evidence: story.error });
    case 'predecessor-found':
      return event({ term: story.term, rule: rules.predecessor });
    case 'store-away':
      return event({ rule: rules.storeAway, evidence: story.error });
    case 'store-back':
      return event({ facts: { afterMs: Math.round(story.afterMs) } });
    case 'suspended':
      return event({
        rule: rules.suspended,
        evidence: 'wall clock and monotonic clock disagree by more than the margin',
      });
    default:
      return describeAgreement(event, story);
  }
}

type Told =
  | 'failsafe-begun'
  | 'failsafe-ended'
  | 'consent-refused'
  | 'consented'
  | 'switching-over'
  | 'switch-over-called-off'
  | 'handed-over'
  | 'taken-over'
  | 'holds-still'
  | 'paused'
  | 'pause-over'
  | 'disagreement'
  | 'asks-for-role';

/** What nodes agree on, and what operators ask for. */
function describeAgreement(
  event: (rest: Partial<EventDraft>) => EventDraft,
  story: Extract<Story, { kind: Told }>,
): EventDraft {
  switch (story.kind) {
    case 'failsafe-begun': {
      const { term, peers } = story;
      const evidence = `the store does not answer; bound to stay passive: ${peers.join(', ') || 'there are no peers'}`;
      return event({ term, rule: rules.failsafe, evidence });
    }
    case 'failsafe-ended': {
      const { term, afterMs } = story;
      return event({ term, rule: rules.failsafe, facts: { afterMs: Math.round(afterMs) } });
    }
    case 'consent-refused':
      return event({ rule: rules.failsafe, evidence: `${story.peer}: ${story.why}` });
    case 'consented': {
      const { term, forMs } = story;
      return event({ term, rule: rules.promise, facts: { forMs: Math.round(forMs) } });
    }
    case 'switching-over':
      return event({ term: story.term, rule: rules.switchOver, facts: { to: story.to } });
    case 'switch-over-called-off':
      return event({ rule: rules.calledOff, evidence: story.reason });
    case 'handed-over': {
      const { term, to, newTerm, afterMs } = story;
      const facts = { to, newTerm: newTerm.toString(), afterMs: Math.round(afterMs) };
      return event({ term, rule: rules.switchOver, facts });
    }
    case 'taken-over':
      return event({ term: story.term, rule: rules.takenOver });
    case 'holds-still':
      return event({ rule: rules.holdsStill, evidence: story.why });
    case 'paused':
      return event({ rule: rules.pause, facts: { forMs: Math.round(story.forMs) } });
    case 'pause-over':
      return event({ rule: rules.pause });
    case 'disagreement':
      return event({ rule: rules.disagreement, evidence: story.reason });
    case 'asks-for-role':
      return event({ rule: rules.failback, facts: { readyForMs: Math.round(story.readyForMs) } });
    default:
      return unreachable(story);
  }
}

function describeDemotion(
  event: (rest: Partial<EventDraft>) => EventDraft,
  term: bigint,
  { reason, detail }: Demotion,
): EventDraft {
  const evidence = `${reason.replaceAll('-', ' ')}: ${detail}`;
  return event({ term, rule: demotionRules[reason], evidence, facts: { reason } });
}

function claimRule(basis: string): string {
  return basis in claimRules ? claimRules[basis as keyof typeof claimRules] : basis;
}
