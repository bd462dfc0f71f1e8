import { type Failure, type PromiseSettings, worstCases } from '@understudy/shared/kernel/promise';
import { deriveTimers } from '@understudy/shared/kernel/timers';
import test from 'ava';

const settings: PromiseSettings = {
  timers: deriveTimers(2_000).timers,
  health: { everyMs: 250, timeoutMs: 400, failures: 3 },
  holdMs: 400,
};

function worstOf(failure: Failure, change: Partial<PromiseSettings> = {}): number {
  const found = worstCases({ ...settings, ...change }).find((each) => each.failure === failure);
  return found?.worstMs ?? Number.NaN;
}

test('a lost host is promised exactly what failover.target was derived from', (t) => {
  t.is(worstOf('host-loss'), settings.timers.worstCaseMs);
  t.true(worstOf('host-loss') <= 2_000);
});

test('nothing that falls silent is replaced later than a lost host', (t) => {
  t.is(worstOf('heartbeat-crash'), worstOf('host-loss'));
  t.is(worstOf('database-of-active'), worstOf('host-loss'));
});

test('by the default settings a crash costs 1 s, a freeze 2.5 s, a switch-over 1.5 s at the worst', (t) => {
  t.is(worstOf('controller-crash'), 50 + 150 + 200 + 2 * 150 + 300);
  t.is(worstOf('controller-freeze'), 250 + 2 * 400 + 400 + 50 + worstOf('controller-crash'));
  t.is(worstOf('switchover'), 400 + 2 * 150 + 200 + 2 * 150 + 300);
});

test('the interval of checks counts where it is longer than a check', (t) => {
  const health = { everyMs: 1_000, timeoutMs: 100, failures: 3 };
  t.is(worstOf('controller-freeze', { health }), 3_100 + 50 + worstOf('controller-crash'));
});
