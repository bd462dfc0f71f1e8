import { HeartbeatMetrics } from '@understudy/heartbeat/http/metrics';
import type { StatusView } from '@understudy/heartbeat/http/status';
import { deriveTimers } from '@understudy/shared/kernel/timers';
import test from 'ava';

const { timers } = deriveTimers(2_000);
const last = {
  ...{ interruptedMs: 61.5, at: '2026-01-31T12:00:00.000Z', term: '7', from: 'a', to: 'b' },
  ...{ measured: 'demotion-to-serving', event: 'x' },
};
const status: StatusView = {
  ...{ pair: 'p', node: 'a', incarnation: 'i', role: 'active', phase: 'serving', term: '7' },
  ...{ active: { node: 'a', url: 'http://a' }, leaseRemainingMs: 900 },
  ...{ controller: { state: 'serving', pid: 5, url: 'http://a' }, ready: false, notReady: [] },
  ...{ failsafe: true, paused: true, pausedForMs: 60_000, peers: [], disagreements: [], vip: null },
  ...{ version: '0', pid: 1, timings: timers, lastDemotion: null },
  promise: [{ failure: 'controller-crash', worstMs: 1_000, formula: '' }],
  certificate: null,
  measured: [{ failure: 'controller-crash', count: 2, worstMs: 180, last }],
};

test('promise and measurement stand side by side in the metrics, in seconds', async (t) => {
  const metrics = new HeartbeatMetrics(() => status);
  metrics.observe({
    ...{ failure: 'controller-crash', from: 'a', interruptedMs: 61.5 },
    measured: 'demotion-to-serving',
  });
  metrics.observe({ failure: null, from: null, interruptedMs: null, measured: 'not-seen' });
  const { body } = await metrics.text();
  const value = (name: string) =>
    new RegExp(`^${name}\\{[^}]*failure="controller-crash"[^}]*\\} (.*)$`, 'm').exec(body)?.[1];
  t.is(value('understudy_promise_seconds'), '1');
  t.is(value('understudy_interruption_last_seconds'), '0.0615');
  t.is(value('understudy_interruption_worst_seconds'), '0.18');
  t.is(value('understudy_interruption_seconds_count'), '1');
  t.regex(body, /^understudy_failsafe\{[^}]*\} 1$/m);
  t.regex(body, /^understudy_paused\{[^}]*\} 1$/m);
});
