import { formatDurationMs, parseDurationMs } from '@understudy/shared/kernel/duration';
import test from 'ava';
import fc from 'fast-check';

test('durations are read with their unit', (t) => {
  t.is(parseDurationMs('250ms'), 250);
  t.is(parseDurationMs('2s'), 2_000);
  t.is(parseDurationMs('1.5s'), 1_500);
  t.is(parseDurationMs('10m'), 600_000);
  t.is(parseDurationMs('1h'), 3_600_000);
  t.is(parseDurationMs(' 7d '), 604_800_000);
});

test('what is no duration is refused', (t) => {
  for (const text of ['', '2', 's', '-1s', '1 s', '1e3s', '2S', '1s500ms', 'abc', '.5s']) {
    t.is(parseDurationMs(text), null, text);
  }
});

test('durations are written with the largest unit that divides them', (t) => {
  t.is(formatDurationMs(2_000), '2s');
  t.is(formatDurationMs(1_500), '1500ms');
  t.is(formatDurationMs(0), '0ms');
  t.is(formatDurationMs(86_400_000), '1d');
});

test('what was written is read back as the same duration', (t) => {
  fc.assert(
    fc.property(
      fc.nat({ max: 2_000_000_000 }),
      (ms) => parseDurationMs(formatDurationMs(ms)) === ms,
    ),
  );
  t.pass();
});
