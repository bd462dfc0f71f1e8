import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  makeServiceManager,
  watchdogEveryMs,
} from '@understudy/heartbeat/supervise/service-manager';
import { silentLog } from '@understudy/shared/runtime/log';
import test, { type ExecutionContext } from 'ava';
import { eventually } from '../../support/cluster/eventually.ts';

/** A manager whose `systemd-notify` writes what it is told to a file, and a clock that stands. */
function makeManager(t: ExecutionContext, watchdogMs: number) {
  const folder = mkdtempSync(join(tmpdir(), 'understudy-notify-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'told');
  const script = `#!/bin/sh\necho "$NOTIFY_SOCKET $1" >> '${file}'\n`;
  writeFileSync(join(folder, 'systemd-notify'), script, { mode: 0o755 });
  const env: NodeJS.ProcessEnv = {
    PATH: `${folder}:${process.env['PATH']}`,
    NOTIFY_SOCKET: '/run/notify',
    WATCHDOG_USEC: String(watchdogMs * 1_000),
    WATCHDOG_PID: '7',
  };
  let nowMs = 0;
  const monotonicMs = () => nowMs;
  const manager = makeServiceManager({
    ...{ env, pid: 7, stuckAfterMs: 1_000, log: silentLog },
    clock: { monotonicMs, monotonicNs: () => 0n, wallMs: () => 0 },
  });
  t.teardown(() => manager.close());
  const told = () => (existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n') : []);
  const signs = () => told().filter((line) => line.endsWith('WATCHDOG=1')).length;
  const until = (count: number) =>
    eventually(() => (signs() >= count ? true : null), { what: `${count} signs` });
  const advance = (ms: number) => {
    nowMs += ms;
  };
  return { env, manager, told, signs, until, advance };
}

test('the manager is told in order, and of a state only once', async (t) => {
  const { manager, told, env } = makeManager(t, 0);
  manager.ready();
  manager.status('watching');
  manager.status('watching');
  manager.stopping();
  await eventually(() => (told().length === 3 ? true : null), { what: 'three notices' });
  t.deepEqual(
    told(),
    ['READY=1', 'STATUS=watching', 'STOPPING=1'].map((notice) => `/run/notify ${notice}`),
  );
  t.deepEqual(Object.keys(env), ['PATH'], 'nothing that is started may speak to the manager');
});

test('the watchdog hears of a process that goes on, and of none that hangs', async (t) => {
  const { manager, signs, until, advance, told } = makeManager(t, 60);
  await until(1);
  // What has not begun has its own time limits.
  advance(5_000);
  await until(signs() + 2);
  manager.progress();
  advance(999);
  await until(signs() + 2);
  advance(2);
  // Whatever is under way is said before what is said now.
  manager.status('silent from here on');
  await eventually(() => (told().some((line) => line.includes('silent')) ? true : null), {
    what: 'the notice',
  });
  const before = signs();
  manager.status('and still silent');
  await eventually(() => (told().some((line) => line.includes('still')) ? true : null), {
    what: 'the notice',
  });
  await new Promise((resolve) => setTimeout(resolve, 200));
  t.is(signs(), before);
  manager.progress();
  await until(before + 1);
});

test('a process that is asked to stop is not said to hang', async (t) => {
  const { manager, signs, until, advance } = makeManager(t, 60);
  manager.progress();
  manager.stopping();
  manager.progress();
  advance(60_000);
  await until(signs() + 2);
  t.pass();
});

test('only who is meant by the watchdog gives it signs', (t) => {
  t.is(watchdogEveryMs({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '7' }, 7), 10_000);
  t.is(watchdogEveryMs({ WATCHDOG_USEC: '30000000' }, 7), 10_000);
  t.is(watchdogEveryMs({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '8' }, 7), null);
  t.is(watchdogEveryMs({}, 7), null);
  t.is(watchdogEveryMs({ WATCHDOG_USEC: 'soon' }, 7), null);
});
