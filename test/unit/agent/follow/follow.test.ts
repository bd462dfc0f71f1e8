import type { Answer, Target } from '@understudy/agent/follow/choose';
import {
  beginFollow,
  type FollowEvent,
  type FollowState,
  type FollowStep,
  stepFollow,
} from '@understudy/agent/follow/follow';
import test from 'ava';
import fc from 'fast-check';

const options = { everyMs: 100, limit: 3 };
const a: Target = { url: 'http://a', node: 'a', term: 5n };
const b: Target = { url: 'http://b', node: 'b', term: 6n };
const ready = (target: Target): Answer => ({ type: 'ready', target });
const nobody: FollowEvent = {
  type: 'answered',
  answers: [{ type: 'silent', url: 'http://a', reason: 'ECONNREFUSED' }],
  jitter: 0.5,
};
const answered = (...targets: Target[]): FollowEvent => ({
  type: 'answered',
  answers: targets.map(ready),
  jitter: 0.5,
});
const lost = (leaving = false): Extract<FollowEvent, { type: 'lost' }> => ({
  type: 'lost',
  reason: 'closed',
  leaving,
  jitter: 0.5,
});

function walk(steps: readonly (readonly [FollowEvent, number])[]): FollowStep {
  return steps.reduce(
    (step, [event, now]) => stepFollow(step.state, event, now, options),
    beginFollow(0n, 0),
  );
}

const following = [
  [answered(a), 10],
  [{ type: 'joined', term: 5n }, 20],
] as const;

test('a lost controller is looked for at once', (t) => {
  const { state, effects } = walk([...following, [lost(), 500]]);
  t.is(state.phase, 'asking');
  t.deepEqual(
    effects.map(({ type }) => type),
    ['tell', 'ask'],
  );
});

test('a controller that leaves is followed by insistent questions', (t) => {
  const { effects } = walk([...following, [lost(true), 21]]);
  t.deepEqual(effects.at(-1), { type: 'ask', beyond: 5n, next: null });
});

test('a controller that names the next one is left for that one', (t) => {
  const { state, effects } = walk([...following, [{ ...lost(true), next: 'http://c' }, 21]]);
  t.is(state.phase, 'asking');
  t.deepEqual(effects.at(-1), { type: 'ask', beyond: 5n, next: 'http://c' });
});

test('a controller that can take nobody in for the moment costs no round, however long', (t) => {
  const refused: FollowEvent = { ...lost(), patient: true };
  const rounds = Array.from({ length: 50 }, (_, round) => [
    [answered(a), 100 * round + 1] as const,
    [refused, 100 * round + 2] as const,
    [{ type: 'woken' }, 100 * (round + 1)] as const,
  ]).flat();
  t.is(walk(rounds).state.phase, 'asking');
});

test('a controller that drops us at once is not asked without a pause', (t) => {
  const { state, effects } = walk([...following, [lost(), 21]]);
  t.is(state.phase, 'waiting');
  t.deepEqual(effects.at(-1), { type: 'wake', atMs: 110 });
});

test('a controller that takes nobody in costs a round like one that is silent', (t) => {
  const { state } = walk([
    [answered(a), 10],
    [lost(), 20],
  ]);
  t.is(state.phase, 'waiting');
});

test('after the last round without success the agent gives up and says what it found', (t) => {
  const { state, effects } = walk([
    [nobody, 1],
    [{ type: 'woken' }, 100],
    [nobody, 101],
    [{ type: 'woken' }, 200],
    [nobody, 201],
  ]);
  t.is(state.phase, 'gave-up');
  const giveUp = effects.at(-1);
  t.true(giveUp?.type === 'give-up' && giveUp.search.rounds === 3);
  t.true(giveUp?.type === 'give-up' && /ECONNREFUSED/.test(giveUp.search.found));
});

test('being followed again starts the count anew', (t) => {
  const { state } = walk([
    [nobody, 1],
    [{ type: 'woken' }, 100],
    [nobody, 101],
    [{ type: 'woken' }, 200],
    [answered(b), 201],
    [{ type: 'joined', term: 6n }, 202],
    [lost(), 600],
    [nobody, 601],
  ]);
  t.is(state.phase, 'waiting');
});

test('a repoint tells from whom, to whom and after how long', (t) => {
  const { effects } = walk([
    ...following,
    [lost(), 500],
    [answered(b), 520],
    [{ type: 'joined', term: 6n }, 530],
  ]);
  t.deepEqual(effects, [
    { type: 'tell', news: { type: 'followed', target: b, from: a, afterMs: 30, rounds: 1 } },
  ]);
});

test('a term that was heard of rules out those below it', (t) => {
  const { state } = walk([
    [{ type: 'heard', term: 6n }, 5],
    [answered(a), 10],
  ]);
  t.is(state.phase, 'waiting');
});

const anyTerm = fc.bigInt({ min: 1n, max: 8n });
const anyTarget = fc
  .tuple(fc.constantFrom('a', 'b'), anyTerm)
  .map(([node, term]): Target => ({ url: `http://${node}`, node, term }));
const jitter = fc.double({ min: 0, max: 0.99, noNaN: true });
const anyEvent: fc.Arbitrary<FollowEvent> = fc.oneof(
  fc.record({
    type: fc.constant('answered' as const),
    answers: fc.array(anyTarget.map(ready), { maxLength: 3 }),
    jitter,
  }),
  fc.constant<FollowEvent>({ type: 'woken' }),
  fc.record({ type: fc.constant('joined' as const), term: anyTerm }),
  fc.record({
    type: fc.constant('lost' as const),
    reason: fc.constant('closed'),
    leaving: fc.boolean(),
    jitter,
  }),
  fc.record({ type: fc.constant('heard' as const), term: anyTerm }),
);
const anyHistory = fc.array(fc.tuple(anyEvent, fc.nat(150)), { maxLength: 200 });

test('whatever happens, no lower term is followed and nothing after giving up', (t) => {
  fc.assert(
    fc.property(anyHistory, (history) => {
      let { state } = beginFollow(0n, 0);
      let [now, highest] = [0, 0n];
      let gaveUp = false;
      for (const [event, laterMs] of history) {
        now += laterMs;
        const step = stepFollow(state, event, now, options);
        if (event.type === 'heard' && event.term > highest) highest = event.term;
        for (const effect of step.effects) {
          if (gaveUp) throw new Error(`${effect.type} after giving up`);
          if (effect.type === 'follow') {
            if (effect.target.term < highest) throw new Error('a lower term is followed');
            highest = effect.target.term;
          }
          gaveUp ||= effect.type === 'give-up';
        }
        if (step.state.highest < state.highest) throw new Error('the highest term sank');
        state = step.state;
      }
    }),
    { numRuns: 2_000 },
  );
  t.pass();
});

test('whatever happens, giving up takes all rounds without success in between', (t) => {
  fc.assert(
    fc.property(anyHistory, (history) => {
      let { state } = beginFollow(0n, 0);
      let [now, asked] = [0, 1];
      for (const [event, laterMs] of history) {
        now += laterMs;
        const step = stepFollow(state, event, now, options);
        if (isJoin(state, step.state)) asked = 0;
        for (const { type } of step.effects) {
          if (type === 'ask') asked += 1;
          if (type === 'give-up' && asked < options.limit) throw new Error('gave up too early');
        }
        state = step.state;
      }
    }),
    { numRuns: 2_000 },
  );
  t.pass();
});

test('the rounds of a search take no longer than configured', (t) => {
  fc.assert(
    fc.property(fc.array(jitter, { minLength: 3, maxLength: 3 }), (jitters) => {
      let { state } = beginFollow(0n, 0);
      let now = 0;
      for (const roll of jitters) {
        state = stepFollow(state, { ...nobody, jitter: roll } as FollowEvent, now, options).state;
        if (state.phase !== 'waiting') break;
        now = state.wakeAtMs;
        state = stepFollow(state, { type: 'woken' }, now, options).state;
      }
      return state.phase === 'gave-up' && now <= options.limit * options.everyMs;
    }),
  );
  t.pass();
});

function isJoin(before: FollowState, after: FollowState): boolean {
  return before.phase === 'joining' && after.phase === 'following';
}
