import { type Answer, chooseTarget, describeAnswers } from '@understudy/agent/follow/choose';
import test from 'ava';

const ready = (node: string, term: bigint): Answer => ({
  type: 'ready',
  target: { url: `http://${node}`, node, term },
});

test('of several that serve the one with the highest term is chosen', (t) => {
  const answers = [ready('a', 9n), ready('b', 10n), ready('c', 2n)];
  t.is(chooseTarget(answers, 0n)?.node, 'b');
});

test('terms beyond the numbers of JavaScript are told apart', (t) => {
  const high = 2n ** 53n;
  t.is(chooseTarget([ready('a', high), ready('b', high + 1n)], 0n)?.node, 'b');
});

test('none below the highest term seen is chosen', (t) => {
  t.is(chooseTarget([ready('a', 9n)], 10n), null);
  t.is(chooseTarget([ready('a', 10n)], 10n)?.node, 'a');
});

test('what a round found names each controller with its answer', (t) => {
  const answers: Answer[] = [
    ready('a', 1n),
    { type: 'silent', url: 'http://b', reason: 'ECONNREFUSED' },
    { type: 'not-ready', url: 'http://c', reason: 'refuses our token (401)' },
  ];
  t.is(
    describeAnswers(answers, 2n),
    'http://a: serves term 1, but term 2 has been seen; http://b: ECONNREFUSED; http://c: refuses our token (401)',
  );
});
