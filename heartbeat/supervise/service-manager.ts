import { type ChildProcess, spawn } from 'node:child_process';
import type { Clock } from '@understudy/shared/runtime/clock';
import { messageOf } from '@understudy/shared/runtime/errors';
import type { Log } from '@understudy/shared/runtime/log';

export interface ServiceManagerOptions {
  /** What the manager said is taken out of it: whatever this process starts must not speak in its name. */
  readonly env: NodeJS.ProcessEnv;
  readonly pid: number;
  /** From the first `progress` on, so long without another one means that this process hangs. */
  readonly stuckAfterMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** The part of systemd's protocol for services that a heartbeat speaks: sd_notify(3). */
export interface ServiceManager {
  /** What was to be waited for at the start is there. */
  ready(): void;
  /** One line for `systemctl status`. */
  status(text: string): void;
  /** The work that this process is for has gone on. */
  progress(): void;
  /** It ends; how long that may take is the manager's to watch. */
  stopping(): void;
  /** Says nothing more. */
  close(): void;
}

/** Of the time that the watchdog waits: two signs may be lost. */
const SIGNS_IN_TIME = 3;
/** Reads one notice a line, and ends with the pipe, so with whoever holds its other end. */
const SCRIPT = 'while read -r notice; do systemd-notify "$notice"; done';

/**
 * Speaks to the service manager that started this process; says nothing where none did. The manager's socket takes
 * datagrams, which Node can't send; systemd's own `systemd-notify` can. A shell that is kept beside this process
 * starts it, because to start a program costs a large process many milliseconds, in which its loop does not turn.
 *
 * The watchdog hears of this process only while its loop turns and `progress` goes on; otherwise the manager
 * ends this process and starts another.
 */
export function makeServiceManager(options: ServiceManagerOptions): ServiceManager {
  const { env, log, clock, stuckAfterMs } = options;
  const everyMs = watchdogEveryMs(env, options.pid);
  const say = openNotices(env, log);
  let lastProgressMs: number | null = null;
  let isBarking = false;
  const sign = () => {
    const quietMs = lastProgressMs === null ? 0 : clock.monotonicMs() - lastProgressMs;
    const isStuck = quietMs > stuckAfterMs;
    if (!isStuck) say('WATCHDOG=1');
    else if (!isBarking)
      log.error('hangs: lets the watchdog bark', { quietMs: Math.round(quietMs) });
    isBarking = isStuck;
  };
  const timer = everyMs === null ? null : setInterval(sign, everyMs);
  let isStopping = false;
  let told = '';
  return {
    ready: () => say('READY=1'),
    status: (text) => {
      if (text !== told) say(`STATUS=${text.replaceAll('\n', ' ')}`);
      told = text;
    },
    progress: () => {
      lastProgressMs = isStopping ? null : clock.monotonicMs();
    },
    stopping: () => {
      say('STOPPING=1');
      isStopping = true;
      lastProgressMs = null;
    },
    close: () => {
      if (timer !== null) clearInterval(timer);
      say(null);
    },
  };
}

/** How often the watchdog wants to hear of this process; null when none watches it. */
export function watchdogEveryMs(env: NodeJS.ProcessEnv, pid: number): number | null {
  const { WATCHDOG_USEC, WATCHDOG_PID } = env;
  const limitMs = Number(WATCHDOG_USEC ?? 0) / 1_000;
  const isOurs = WATCHDOG_PID === undefined || WATCHDOG_PID === String(pid);
  return isOurs && limitMs >= SIGNS_IN_TIME ? Math.floor(limitMs / SIGNS_IN_TIME) : null;
}

/** Takes one notice at a time; null: there will be no more. */
function openNotices(env: NodeJS.ProcessEnv, log: Log): (notice: string | null) => void {
  const { NOTIFY_SOCKET: socket, PATH } = env;
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete env[name];
  if (socket === undefined) return () => undefined;
  const shell = spawn('/bin/sh', ['-c', SCRIPT], {
    env: { PATH, NOTIFY_SOCKET: socket },
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  watchShell(shell, log);
  return (notice) => {
    if (notice === null) shell.stdin.end();
    // A manager that does not listen must not fill our memory.
    else if (shell.stdin.writable && !shell.stdin.writableNeedDrain) {
      shell.stdin.write(`${notice}\n`);
    }
  };
}

function watchShell(shell: ChildProcess, log: Log): void {
  const problem = (error: unknown) =>
    log.warn('the service manager can not be told anything', { error: messageOf(error) });
  shell.on('error', problem);
  shell.stdin?.on('error', problem);
  // A helper: it keeps nobody from ending.
  shell.unref();
}
