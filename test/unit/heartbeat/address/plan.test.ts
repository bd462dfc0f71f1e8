import {
  COMMAND_SLOW_MS,
  KERNEL_LATE_MS,
  lifeTimeS,
  MOST_LATE_MS,
} from '@understudy/heartbeat/address/plan/life-time';
import { addressWakeAt, LOOK_EVERY_MS } from '@understudy/heartbeat/address/plan/step';
import test from 'ava';
import fc from 'fast-check';
import { away, here, MARGIN_MS, Play, presentUntil, unknown } from './play.ts';

test('the addresses are added when the controller serves, announced, and renewed with the lease', (t) => {
  const play = new Play();
  t.deepEqual(play.aim(1_000, presentUntil(3_000), away), ['put anew 2']);
  t.deepEqual(play.at(1_005, { kind: 'tick' }, away), [], 'one command at a time');
  t.deepEqual(play.at(1_010, { kind: 'put-done' }, here), ['address-added', 'announce']);
  t.deepEqual(play.aim(1_600, presentUntil(3_600), here), ['put 2']);
  t.deepEqual(play.at(1_610, { kind: 'put-done' }, here), [], 'nothing new to tell');
});

test('a lease that is renewed while a command runs is not forgotten', (t) => {
  const play = new Play();
  play.aim(1_000, presentUntil(3_000), away);
  t.deepEqual(play.aim(1_200, presentUntil(3_200), away), []);
  t.deepEqual(play.at(1_210, { kind: 'put-done' }, here), ['address-added', 'put 2']);
});

test('announcements are repeated soon, and then for good', (t) => {
  const play = Play.held();
  const instants: number[] = [];
  for (let now = 1_100; now < 200_000; now += 100) {
    const effects = play.aim(now, presentUntil(now + 2_000), here);
    if (play.state.running !== null) effects.push(...play.at(now, { kind: 'put-done' }, here));
    if (effects.includes('announce')) instants.push(now);
  }
  const pauses = instants.slice(1).map((now, index) => now - (instants[index] ?? 0));
  t.deepEqual(pauses.slice(0, 8), Array(8).fill(1_000));
  t.deepEqual(new Set(pauses.slice(8)), new Set([60_000]));
});

test('what ends removes before anything else, also while a command runs', (t) => {
  const play = Play.held();
  t.deepEqual(play.aim(1_600, presentUntil(3_600), here), ['put 2']);
  t.deepEqual(play.aim(1_601, { kind: 'absent' }, here), ['break-off', 'remove']);
  t.deepEqual(play.at(1_610, { kind: 'removed' }, unknown), ['address-removed']);
  t.deepEqual(play.at(3_000, { kind: 'tick' }, unknown), []);
});

test('a removal that fails is tried again and told once', (t) => {
  const play = Play.held();
  play.aim(1_600, { kind: 'absent' }, here);
  const failed = { kind: 'remove-failed', error: 'no answer' } as const;
  t.deepEqual(play.at(2_600, failed, here), ['address-failed']);
  t.is(play.state.problem, 'no answer');
  t.true(addressWakeAt(play.state) <= 3_200);
  t.deepEqual(play.at(addressWakeAt(play.state), { kind: 'tick' }, here), ['remove']);
  t.deepEqual(play.at(4_200, failed, here), []);
  t.deepEqual(play.at(addressWakeAt(play.state), { kind: 'tick' }, here), ['remove']);
  t.deepEqual(play.at(4_900, { kind: 'removed' }, unknown), ['address-removed']);
  t.is(play.state.problem, null);
});

test('an addition that fails is tried again and told once, and its success is told', (t) => {
  const play = new Play();
  play.aim(1_000, presentUntil(9_000), away);
  const failed = { kind: 'put-failed', error: 'no such device' } as const;
  t.deepEqual(play.at(1_010, failed, away), ['address-failed']);
  t.deepEqual(play.at(1_510, { kind: 'tick' }, away), ['put 7']);
  t.deepEqual(play.at(1_520, failed, away), []);
  t.deepEqual(play.at(2_020, { kind: 'tick' }, away), ['put 7']);
  t.deepEqual(play.at(2_030, { kind: 'put-done' }, here), ['address-added', 'announce']);
});

test('a host that is not active removes what somebody else has added, and says so', (t) => {
  const play = new Play();
  t.deepEqual(play.at(1_000, { kind: 'tick' }, unknown), []);
  t.is(addressWakeAt(play.state), 1_000 + LOOK_EVERY_MS);
  t.deepEqual(play.at(2_000, { kind: 'tick' }, here), ['address-found', 'remove']);
  t.deepEqual(play.at(2_010, { kind: 'removed' }, unknown), []);
});

test('an address that vanishes from the active host is added and announced again, and told once', (t) => {
  const play = Play.held();
  t.deepEqual(play.at(1_500, { kind: 'tick' }, away), ['address-lost', 'put 2']);
  t.deepEqual(play.at(1_510, { kind: 'put-done' }, here), ['address-added', 'announce']);
  t.deepEqual(play.at(1_600, { kind: 'tick' }, unknown), [], 'its interface is down: nobody knows');
});

test('trust that ran out removes, whatever the role says', (t) => {
  const play = Play.held();
  t.true(addressWakeAt(play.state) < 3_000);
  t.deepEqual(play.at(30_000, { kind: 'tick' }, away), ['remove'], 'and nothing is put');
});

test('a command that took long is repeated with less time, if that makes a difference', (t) => {
  const play = new Play();
  play.aim(1_000, presentUntil(3_000), away);
  t.deepEqual(play.at(1_900, { kind: 'put-done' }, here), ['address-added', 'put 1']);
  t.deepEqual(play.at(2_800, { kind: 'put-done' }, here), ['announce']);
});

test('the kernel removes an address in time, however long the lease lasts, and not while there is trust', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 500, max: 60_000 }),
      fc.integer({ min: 0, max: COMMAND_SLOW_MS }),
      (leaseMs, tookMs) => {
        const play = new Play();
        play.aim(0, presentUntil(leaseMs), away);
        play.at(tookMs, { kind: 'put-done' }, here);
        let last = { at: 0, lifeS: lifeTimeS(leaseMs, 0) };
        // Nothing is renewed any more.
        for (let now = addressWakeAt(play.state); now < leaseMs - MARGIN_MS; ) {
          const put = play.at(now, { kind: 'tick' }, here).find((each) => each.startsWith('put'));
          if (put !== undefined) {
            last = { at: now, lifeS: Number(put.split(' ')[1]) };
            play.at(now + tookMs, { kind: 'put-done' }, here);
          }
          now = Math.max(now + 1, addressWakeAt(play.state));
        }
        const soonest = last.at + last.lifeS * 1_000;
        const latest = soonest + tookMs + KERNEL_LATE_MS;
        t.true(soonest >= leaseMs - MARGIN_MS, `gone at ${soonest} of ${leaseMs}`);
        t.true(latest <= leaseMs + MOST_LATE_MS, `there until ${latest} of ${leaseMs}`);
      },
    ),
  );
});
