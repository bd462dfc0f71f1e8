import { quantile } from '@understudy/scripts/bench/work/figures';
import {
  levelMb,
  type MemorySample,
  risesAnHour,
} from '@understudy/scripts/bench/work/memory/rise';
import test from 'ava';

const MINUTE_MS = 60_000;

/** One sample a second for an hour. */
function hourOf(mbAt: (minute: number) => number): MemorySample[] {
  return Array.from({ length: 3_600 }, (_, second) => {
    return { atMs: second * 1_000, mb: mbAt((second * 1_000) / MINUTE_MS) };
  });
}

const rise = (samples: readonly MemorySample[]) => quantile(risesAnHour(samples), 0.5);

test('what goes up and down about a level does not rise', (t) => {
  const samples = hourOf((minute) => 100 + 20 * Math.sin(7 * minute));
  t.true(Math.abs(rise(samples)) < 3);
  t.true(Math.abs(levelMb(samples) - 100) < 3);
});

test('a leak is seen through the noise, with its size', (t) => {
  const samples = hourOf((minute) => 100 + minute / 2 + 20 * Math.sin(7 * minute));
  t.true(Math.abs(rise(samples) - 30) < 4, `${rise(samples)}`);
});

test('a peak is no rise', (t) => {
  t.is(rise(hourOf((minute) => (minute > 50 && minute < 54 ? 500 : 100))), 0);
});

test('too few samples say nothing', (t) => {
  t.deepEqual(risesAnHour([{ atMs: 0, mb: 1 }]), []);
});
