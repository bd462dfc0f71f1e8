import { paceOf } from '@understudy/scripts/install/lb/pace';
import { deriveTimers } from '@understudy/shared/kernel/timers';
import test from 'ava';

function paceFor(targetMs: number) {
  return paceOf({
    timers: deriveTimers(targetMs).timers,
    controller: {
      listen: { host: '0.0.0.0', port: 7300 },
      url: 'http://10.0.0.11:7300',
      standby: 'warm',
      command: [],
      check: null,
      stopTimeoutMs: 5_000,
      health: { everyMs: 400, timeoutMs: 400, failures: 3 },
    },
    failover: {
      targetMs,
      mode: 'automatic',
      preferred: false,
      failbackMs: null,
      limit: 30,
      windowMs: 300_000,
      holdTimeoutMs: 400,
    },
  });
}

test('a target of two seconds gives checks five times a second', (t) => {
  const pace = paceFor(2_000);
  t.is(pace.checkEveryMs, 200);
  t.is(pace.checkFastMs, 100);
  t.is(pace.connectMs, 200);
  t.is(pace.waitMs, pace.retries * pace.connectMs);
});

test('a request waits longer than the pair may be without an active, whatever the target', (t) => {
  for (const targetMs of [800, 2_000, 10_000, 60_000]) {
    const { waitMs } = paceFor(targetMs);
    t.true(waitMs >= 2 * targetMs, `${waitMs} ms for a target of ${targetMs} ms`);
  }
});

test('checks are never faster than a busy heartbeat answers, nor slower than a user would notice', (t) => {
  t.is(paceFor(800).checkEveryMs, 100);
  t.is(paceFor(60_000).checkEveryMs, 1_000);
  t.is(paceFor(60_000).connectMs, 500);
});
