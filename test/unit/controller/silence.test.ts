import { idleSignEveryMs, isSilent } from '@understudy/controller/dispatch/silence';
import test from 'ava';

const IDLE_SIGN_MS = 5_000;

test('F97: a worker with something to do that says nothing for seven seconds is not there any more', (t) => {
  const voice = { heardAt: 0, atWorkSince: 0 };
  t.false(isSilent(voice, 7_000, IDLE_SIGN_MS));
  t.true(isSilent(voice, 7_001, IDLE_SIGN_MS));
});

test('F97: one that is ordered something after a silence has its time to say that it began', (t) => {
  const voice = { heardAt: 0, atWorkSince: 4_900 };
  t.false(isSilent(voice, 11_900, IDLE_SIGN_MS));
  t.true(isSilent(voice, 11_901, IDLE_SIGN_MS));
  t.false(isSilent({ ...voice, heardAt: 6_000 }, 11_901, IDLE_SIGN_MS), 'it was heard since');
});

test('F97: one with nothing to do may miss three of its signs of life', (t) => {
  const voice = { heardAt: 0, atWorkSince: null };
  t.false(isSilent(voice, 17_500, IDLE_SIGN_MS));
  t.true(isSilent(voice, 17_501, IDLE_SIGN_MS));
  t.false(isSilent(voice, 7_000, 500), 'never less than one with something to do');
});

test('a worker with nothing to do gives a sign of life every five seconds, or ten times as long as it is waited for', (t) => {
  t.is(idleSignEveryMs(60_000), 5_000);
  t.is(idleSignEveryMs(3_600_000), 5_000);
  t.is(idleSignEveryMs(3_000), 300);
});
