/**
 * Runs one attempt: no shell, in a process group of its own, tied by the kernel to this worker's life.
 * Its output goes straight into a file, so that no byte passes through the worker's memory and none is
 * lost with it. An attempt is over when nothing of it is left: what its main process leaves behind in
 * its group, or elsewhere under its marker, is killed and mentioned.
 */

import type { ChildProcess } from 'node:child_process';
import { closeSync, fstatSync, openSync } from 'node:fs';
import { killGroup, readProc, spawnTied } from '@understudy/shared/runtime/child';
import { messageOf } from '@understudy/shared/runtime/errors';
import type { Outcome } from '../attempt/attempt.ts';
import { findProgram } from './find-program.ts';
import { endMarked, groupMembers, type Marker } from './leftovers.ts';

export interface Execution {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number | null;
  /** The file that gets the output. */
  readonly log: string;
  /** How to recognise what the attempt started. */
  readonly marker: Marker;
  /** Between SIGTERM and SIGKILL. */
  readonly graceMs: number;
}

export interface Ended {
  readonly outcome: Outcome;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly reason: string | null;
  readonly logBytes: number;
}

export type Executed =
  | { readonly type: 'running'; readonly running: Running }
  | { readonly type: 'not-started'; readonly reason: string };

/** An attempt under way. */
export interface Running {
  readonly pid: number;
  readonly ended: Promise<Ended>;
  /** How many bytes of output there are. */
  written(): number;
  /** Ends it: SIGTERM to its group, SIGKILL after the grace. The first cause given is what is reported. */
  end(outcome: 'cancelled' | 'timed-out' | 'lost', reason: string): void;
}

/** Starts an attempt. */
export async function execute(execution: Execution): Promise<Executed> {
  const [program = '', ...rest] = execution.command;
  const found = findProgram(program, execution.env['PATH'] ?? '');
  if (found.type === 'missing') return { type: 'not-started', reason: found.reason };
  let log: number | null = null;
  try {
    log = openSync(execution.log, 'a', 0o640);
    const child = spawnTied([found.path, ...rest], {
      env: { ...execution.env },
      stdio: ['ignore', log, log],
    });
    await spawned(child);
    return { type: 'running', running: watch(child, log, execution) };
  } catch (error) {
    if (log !== null) closeSync(log);
    return { type: 'not-started', reason: messageOf(error) };
  }
}

function spawned(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
}

interface Cause {
  readonly outcome: 'cancelled' | 'timed-out' | 'lost';
  readonly reason: string;
}

function watch(child: ChildProcess, log: number, execution: Execution): Running {
  const pid = child.pid as number;
  const startedAtMs = performance.now();
  let cause: Cause | null = null;
  let over = false;
  let killer: NodeJS.Timeout | undefined;

  const end = (outcome: Cause['outcome'], reason: string): void => {
    if (cause !== null || over) return;
    cause = { outcome, reason };
    killGroup(pid, 'SIGTERM');
    killer = setTimeout(() => killGroup(pid, 'SIGKILL'), execution.graceMs);
  };
  const { timeoutMs } = execution;
  const limit =
    timeoutMs === null
      ? undefined
      : setTimeout(() => end('timed-out', `ran longer than ${timeoutMs} ms`), timeoutMs);

  const ended = new Promise<Ended>((resolve) => {
    child.once('exit', (exitCode, signal) => {
      over = true;
      clearTimeout(limit);
      clearTimeout(killer);
      const leftovers = endLeftovers(pid, execution.marker, performance.now() - startedAtMs);
      const logBytes = fstatSync(log).size;
      closeSync(log);
      resolve({ ...outcomeOf(exitCode, signal, cause, leftovers), logBytes });
    });
  });
  return { pid, ended, end, written: () => (over ? 0 : fstatSync(log).size) };
}

function outcomeOf(
  exitCode: number | null,
  signal: string | null,
  cause: Cause | null,
  leftovers: number,
): Omit<Ended, 'logBytes'> {
  const outcome = cause?.outcome ?? (signal === null ? 'exited' : 'signalled');
  const left = leftovers === 0 ? [] : [`killed what it left behind (${leftovers})`];
  const reasons = [...(cause === null ? [] : [cause.reason]), ...left];
  return { outcome, exitCode, signal, reason: reasons.length === 0 ? null : reasons.join('; ') };
}

/** So long an attempt may last for its descendants to be looked for among younger pids only. */
const shortMs = 2_000;

/**
 * Kills what the main process left behind, in its group and under its marker. The table of processes
 * is read only as far as needed: descendants have higher pids, unless the numbers have wrapped around.
 */
function endLeftovers(pid: number, marker: Marker, lastedMs: number): number {
  const ended = new Set(killGroup(pid, 0) ? groupMembers(pid) : []);
  if (ended.size > 0) killGroup(pid, 'SIGKILL');
  const lastPid = Number(readProc('/proc/loadavg')?.trim().split(' ').at(-1) ?? 0);
  const onlyYounger = lastedMs < shortMs && lastPid >= pid;
  for (const marked of endMarked(marker, onlyYounger ? pid : 0)) ended.add(marked);
  return ended.size;
}
