import { describeStory } from '@understudy/heartbeat/events/describe-story';
import { claimRules, demotionRules } from '@understudy/heartbeat/events/rules';
import type { Story } from '@understudy/heartbeat/role/state';
import test from 'ava';

/** One story of each kind: the compiler misses the one that is not here. */
const stories: { readonly [Kind in Story['kind']]: Extract<Story, { kind: Kind }> } = {
  claiming: { kind: 'claiming', basis: 'silence', evidence: 'no renewal for 1300 ms' },
  'claim-refused': { kind: 'claim-refused', why: 'the lease has changed' },
  'claim-answer-lost': { kind: 'claim-answer-lost', error: 'no answer within 150 ms' },
  granted: { kind: 'granted', term: 7n },
  'grant-not-used': { kind: 'grant-not-used', term: 7n, why: 'this node is stopping' },
  serving: { kind: 'serving', term: 7n, afterMs: 41.7 },
  demoting: {
    kind: 'demoting',
    term: 7n,
    why: { reason: 'controller-unhealthy', detail: 'its port does not answer' },
  },
  fenced: { kind: 'fenced', term: 7n },
  'given-back': { kind: 'given-back', term: 7n },
  'give-back-failed': { kind: 'give-back-failed', term: 7n, error: 'no answer' },
  'predecessor-found': { kind: 'predecessor-found', term: 7n },
  'store-away': { kind: 'store-away', error: 'connection refused' },
  'store-back': { kind: 'store-back', afterMs: 812.3 },
  suspended: { kind: 'suspended' },
  'failsafe-begun': { kind: 'failsafe-begun', term: 7n, peers: ['http://b'] },
  'failsafe-ended': { kind: 'failsafe-ended', term: 7n, afterMs: 60_000.2 },
  'consent-refused': { kind: 'consent-refused', peer: 'http://b', why: 'store-fine' },
  consented: { kind: 'consented', term: 7n, forMs: 1_188 },
  'switching-over': { kind: 'switching-over', term: 7n, to: 'b' },
  'switch-over-called-off': { kind: 'switch-over-called-off', reason: 'a request takes long' },
  'handed-over': { kind: 'handed-over', term: 7n, to: 'b', newTerm: 8n, afterMs: 20.4 },
  'taken-over': { kind: 'taken-over', term: 8n },
  'holds-still': { kind: 'holds-still', why: 'the pair is paused' },
  paused: { kind: 'paused', forMs: 60_000 },
  'pause-over': { kind: 'pause-over' },
  disagreement: { kind: 'disagreement', reason: 'b uses another database' },
  'asks-for-role': { kind: 'asks-for-role', readyForMs: 600_000 },
};

test('every story becomes an event with a sentence, and its term where it has one', (t) => {
  for (const story of Object.values(stories)) {
    const event = describeStory(story);
    t.true(event.message.length > 5, story.kind);
    t.is(event.term, 'term' in story ? story.term : null, story.kind);
  }
});

test('every decision names its rule; only what merely happened has none', (t) => {
  const without = Object.values(stories).filter((story) => describeStory(story).rule === null);
  t.deepEqual(
    without.map((story) => story.kind),
    ['store-back'],
  );
});

test('a claim tells by which grade of evidence, and what was seen', (t) => {
  for (const basis of ['released', 'testified', 'silence', 'forced'] as const) {
    const event = describeStory({ kind: 'claiming', basis, evidence: 'seen' });
    t.is(event.rule, claimRules[basis]);
    t.is(event.evidence, 'seen');
  }
  t.regex(claimRules.silence, /expired in the store/);
});

test('a demotion tells its reason, and the rule that goes with it', (t) => {
  const event = describeStory(stories.demoting);
  t.is(event.rule, demotionRules['controller-unhealthy']);
  t.is(event.evidence, 'controller unhealthy: its port does not answer');
  t.deepEqual(event.facts, { reason: 'controller-unhealthy' });
});
