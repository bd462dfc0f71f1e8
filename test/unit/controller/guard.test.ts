import { TenureGuard } from '@understudy/controller/tenure/guard';
import test from 'ava';

const ms = (value: number) => BigInt(value) * 1_000_000n;

function guarded() {
  const time = { monotonic: 1_000, wall: 50_000 };
  const clock = {
    monotonicNs: () => ms(time.monotonic),
    monotonicMs: () => time.monotonic,
    wallMs: () => time.wall,
  };
  const slept: number[] = [];
  const guard = new TenureGuard(
    { term: 3n, trustedUntilNs: ms(2_000) },
    { clock, trustMs: 1_000, onSlept: (gapMs) => slept.push(gapMs) },
  );
  const pass = (elapsedMs: number) => {
    time.monotonic += elapsedMs;
    time.wall += elapsedMs;
  };
  return { guard, time, pass, slept, clock };
}

test('the guard allows until the deadline, and not at it', (t) => {
  const { guard, pass } = guarded();
  pass(999);
  t.true(guard.mayAct());
  pass(1);
  t.false(guard.mayAct());
  t.true(guard.isOver);
});

test('the deadline moves forward only, and only for its own term', (t) => {
  const { guard } = guarded();
  guard.extend({ term: 3n, trustedUntilNs: ms(1_500) });
  guard.extend({ term: 4n, trustedUntilNs: ms(9_000) });
  t.is(guard.trustedUntilNs, ms(2_000));
  guard.extend({ term: 3n, trustedUntilNs: ms(2_500) });
  t.is(guard.trustedUntilNs, ms(2_500));
});

test('after the host slept nothing is allowed until a renewal that was sent afterwards', (t) => {
  const { guard, time, pass, slept } = guarded();
  time.wall += 300;
  t.false(guard.mayAct());
  t.is(slept.length, 1);
  guard.extend({ term: 3n, trustedUntilNs: ms(2_000) });
  t.false(guard.mayAct());
  pass(100);
  guard.extend({ term: 3n, trustedUntilNs: ms(2_100) });
  t.true(guard.mayAct());
});

test('F33: a suspension between the look of the heartbeat and the birth of the guard is noticed', (t) => {
  const { clock } = guarded();
  const options = { clock, trustMs: 1_000, onSlept: () => undefined };
  const clockOffsetMs = clock.wallMs() - clock.monotonicMs();
  const tenure = { term: 3n, trustedUntilNs: ms(2_000) };
  t.true(new TenureGuard({ ...tenure, clockOffsetMs }, options).mayAct());
  t.false(new TenureGuard({ ...tenure, clockOffsetMs: clockOffsetMs - 300 }, options).mayAct());
});

test('a wait for permission ends with the renewal', async (t) => {
  const { guard, time, pass } = guarded();
  time.wall += 300;
  const wait = guard.untilMayAct();
  pass(50);
  guard.extend({ term: 3n, trustedUntilNs: ms(2_050) });
  await t.notThrowsAsync(wait);
});
