import {
  deriveTimers,
  SCHEDULING_SLACK_MS,
  smallestTargetMs,
  type TimerOverrides,
} from '@understudy/shared/kernel/timers';
import test from 'ava';
import fc from 'fast-check';

test('a target of 2 s gives the timers of the protocol page', (t) => {
  const { kind, timers } = deriveTimers(2_000);
  t.is(kind, 'safe');
  t.like(timers, { ttlMs: 1_188, renewEveryMs: 396, callTimeoutMs: 150, marginMs: 112 });
  t.like(timers, { pollEveryMs: 200, activateWithinMs: 300, killWithinMs: 50, worstCaseMs: 2_000 });
});

test('every target from the smallest on gives safe timers within the target', (t) => {
  const smallest = smallestTargetMs();
  t.is(deriveTimers(smallest - 1).kind, 'unsafe');
  fc.assert(
    fc.property(fc.integer({ min: smallest, max: 600_000 }), (targetMs) => {
      const { kind, timers } = deriveTimers(targetMs);
      return kind === 'safe' && timers.worstCaseMs <= targetMs;
    }),
  );
});

test('timers are called safe exactly when the laws hold, whatever is set', (t) => {
  const ms = fc.option(fc.integer({ min: 1, max: 5_000 }), { nil: undefined });
  const overrides = fc.record({
    ttlMs: ms,
    renewEveryMs: ms,
    callTimeoutMs: ms,
    marginMs: ms,
    pollEveryMs: ms,
    activateWithinMs: ms,
    killWithinMs: ms,
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20_000 }), overrides, (targetMs, set) => {
      const result = deriveTimers(targetMs, set);
      const { ttlMs: T, renewEveryMs: P, callTimeoutMs: R, marginMs: M } = result.timers;
      const { pollEveryMs, activateWithinMs, killWithinMs, clockRateBound: rho } = result.timers;
      const isSafe =
        P + 2 * R <= T - M &&
        M >= rho * T + killWithinMs + SCHEDULING_SLACK_MS - 1e-6 &&
        T * (1 + rho) + pollEveryMs + 2 * R + activateWithinMs <= targetMs + 1e-6;
      return isSafe === (result.kind === 'safe');
    }),
  );
  t.pass();
});

const violates = test.macro({
  exec(t, overrides: TimerOverrides, law: string, numbers: string) {
    const result = deriveTimers(2_000, overrides);
    if (result.kind === 'safe') return t.fail('was called safe');
    const found = result.violations.filter((violation) => violation.startsWith(law));
    t.is(found.length, 1, result.violations.join('\n'));
    t.true(found[0]?.includes(numbers), found[0]);
  },
  title: (_, overrides: TimerOverrides, law: string) =>
    `with ${JSON.stringify(overrides)} the broken law is named: ${law}`,
});

const RENEWAL = 'P + 2R <= T - M';
const MARGIN = 'M >= rho T + G + slack';
const PROMISE = 'T (1 + rho) + poll + 2R + S <= failover.target';
test(
  violates,
  { renewEveryMs: 1_000 },
  RENEWAL,
  '1000 + 2 * 150 = 1300 ms is more than 1188 - 112',
);
test(violates, { callTimeoutMs: 400 }, RENEWAL, '2 * 400');
test(violates, { ttlMs: 300, marginMs: 110 }, RENEWAL, '300 - 110 = 190 ms');
test(violates, { marginMs: 1_000 }, RENEWAL, '1188 - 1000');
test(violates, { marginMs: 111 }, MARGIN, '111 ms is less than 0.01 * 1188 + 50 + 50 = 112 ms');
test(violates, { killWithinMs: 500, marginMs: 200 }, MARGIN, '0.01 * 1188 + 500 + 50');
test(
  violates,
  { ttlMs: 1_300 },
  PROMISE,
  '1300 * 1.01 + 200 + 2 * 150 + 300 = 2113 ms is more than 2s',
);
test(violates, { pollEveryMs: 2_000, ttlMs: 1_000 }, PROMISE, '2000');
test(violates, { activateWithinMs: 900, ttlMs: 1_000 }, PROMISE, '900');
