import { longestGapMs } from '@understudy/scripts/bench/hosts/longest-gap';
import test from 'ava';

test('the longest gap lies between two answers, in whatever order they came', (t) => {
  t.is(longestGapMs([130, 110, 190, 120], 100, 200), 60);
});

test('the time until the first answer and since the last one counts as well', (t) => {
  t.is(longestGapMs([150, 160], 100, 170), 50);
  t.is(longestGapMs([110, 120], 100, 300), 180);
  t.is(longestGapMs([], 100, 300), 200);
});

test('answers before the beginning and after the end do not count', (t) => {
  t.is(longestGapMs([90, 350], 100, 300), 200);
});
