/**
 * Runs the program of an attempt: no shell but where one was asked for, in a session of its own, tied to
 * this worker's life by the kernel, or by its cgroup. Its output goes straight into a file, so that no byte passes through
 * the worker's memory and none is lost with it. An attempt is over when nothing of it is left: what its
 * main process leaves behind is ended and mentioned.
 */

import { statSync } from 'node:fs';
import { tiedCommand, untiedCommand, withParent } from '@understudy/shared/runtime/child';
import { messageOf } from '@understudy/shared/runtime/errors';
import type { Outcome } from '../attempt/attempt.ts';
import type { Exit, Launched, Launcher } from '../launch/port.ts';
import type { Account } from './account.ts';
import { findProgram } from './find-program.ts';
import { Output, type OutputWatch } from './output.ts';
import { type OutputLimit, tooLong } from './output-limit.ts';
import type { Remains, Tree, Trees } from './trees.ts';

export interface Execution {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The folder in which it starts; null: the worker's. */
  readonly cwd: string | null;
  /** As whom it runs; null: as the worker. */
  readonly account: Account | null;
  readonly timeoutMs: number | null;
  /** Between SIGTERM and SIGKILL. */
  readonly graceMs: number;
  /** The file that gets the output. */
  readonly log: string;
  readonly outputLimit: OutputLimit | null;
  /** Whether a process with this environment belongs to the attempt. */
  readonly carries: (environment: string) => boolean;
}

/** What all attempts of a worker share. */
export interface Premises {
  readonly launch: Launcher;
  readonly trees: Trees;
  readonly outputs: OutputWatch;
  /** Whether all that this process starts ends with it, without a tie of its own. */
  readonly isTied: () => boolean;
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

/** Why an attempt is ended that would have gone on. */
export interface Cause {
  readonly outcome: 'cancelled' | 'timed-out' | 'signalled' | 'lost';
  readonly reason: string;
}

/** An attempt under way. */
export interface Running {
  readonly pid: number;
  readonly ended: Promise<Ended>;
  /** How many bytes of output there are. */
  written(): number;
  /**
   * Ends it: SIGTERM to all of it, SIGKILL after the grace, its own or a shorter one. The first cause given
   * is what is reported; another one can only shorten the grace.
   */
  end(cause: Cause, graceMs?: number): void;
}

/** Starts an attempt. */
export async function execute(execution: Execution, premises: Premises): Promise<Executed> {
  const { cwd, account, env } = execution;
  const [program = '', ...rest] = execution.command;
  const noFolder = cwd === null ? null : folderProblem(cwd);
  if (noFolder !== null) return { type: 'not-started', reason: noFolder };
  const found = findProgram(program, env['PATH'] ?? '', cwd);
  if (found.type === 'missing') return { type: 'not-started', reason: found.reason };
  let output: Output | null = null;
  const isStarted = premises.trees.expect();
  try {
    output = new Output(execution.log, execution.outputLimit);
    if (account !== null) output.giveTo(account);
    const whole = [found.path, ...rest];
    const launched = await premises.launch({
      command: (premises.isTied() ? untiedCommand : tiedCommand)(whole, account),
      env: withParent(env),
      ...{ cwd, output: output.file },
    });
    return { type: 'running', running: watch(launched, output, execution, premises) };
  } catch (error) {
    output?.close();
    return { type: 'not-started', reason: messageOf(error) };
  } finally {
    isStarted();
  }
}

function folderProblem(path: string): string | null {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return `ENOENT: no folder ${path}`;
  return found.isDirectory() ? null : `ENOTDIR: ${path} is no folder`;
}

function watch(
  { pid, exited }: Launched,
  output: Output,
  execution: Execution,
  { trees, outputs }: Premises,
): Running {
  const tree = trees.add({ pid, carries: execution.carries });
  const ending = new Ending(tree, execution);
  const { outputLimit } = execution;
  const unwatch =
    outputLimit === null
      ? () => undefined
      : outputs.add(output, () =>
          ending.begin({ outcome: 'signalled', reason: tooLong(outputLimit) }),
        );
  const ended = exited.then(async (exit): Promise<Ended> => {
    const remains = await tree.end(ending.over());
    unwatch();
    const dropped = output.close();
    return { ...judge(exit, ending.cause, remains, dropped), logBytes: output.bytes };
  });
  return {
    pid,
    ended,
    end: (cause, graceMs) => ending.begin(cause, graceMs),
    written: () => output.bytes,
  };
}

/** Brings an attempt to an end that was asked for, or that its time limit demands. */
class Ending {
  readonly #tree: Tree;
  readonly #graceMs: number;
  readonly #limit: NodeJS.Timeout | undefined;
  #killer: NodeJS.Timeout | undefined;
  #killAtMs = Number.POSITIVE_INFINITY;
  #isOver = false;
  cause: Cause | null = null;

  constructor(tree: Tree, { timeoutMs, graceMs }: Pick<Execution, 'timeoutMs' | 'graceMs'>) {
    this.#tree = tree;
    this.#graceMs = graceMs;
    if (timeoutMs === null) return;
    const late = { outcome: 'timed-out', reason: `ran longer than ${timeoutMs} ms` } as const;
    this.#limit = setTimeout(() => this.begin(late), timeoutMs);
  }

  begin(cause: Cause, graceMs = this.#graceMs): void {
    if (this.#isOver) return;
    const killAtMs = performance.now() + Math.min(graceMs, this.#graceMs);
    if (this.cause === null) this.#tree.signal('SIGTERM');
    this.cause ??= cause;
    if (killAtMs >= this.#killAtMs) return;
    this.#killAtMs = killAtMs;
    clearTimeout(this.#killer);
    this.#killer = setTimeout(() => this.#tree.signal('SIGKILL'), killAtMs - performance.now());
  }

  /** The main process has ended. Gives how long the others still have. */
  over(): number {
    this.#isOver = true;
    clearTimeout(this.#limit);
    clearTimeout(this.#killer);
    return this.cause === null ? 0 : Math.max(0, this.#killAtMs - performance.now());
  }
}

function judge(
  { exitCode, signal }: Exit,
  cause: Cause | null,
  remains: Remains,
  dropped: string | null,
): Omit<Ended, 'logBytes'> {
  const outcome = cause?.outcome ?? (signal === null ? 'exited' : 'signalled');
  const said = [cause?.reason ?? null, ...tell(remains), dropped].filter((each) => each !== null);
  return { outcome, exitCode, signal, reason: said.length === 0 ? null : said.join('; ') };
}

function tell({ killed, survivors, doubtful }: Remains): string[] {
  const said: string[] = [];
  if (killed > 0) said.push(`killed what it left behind (${killed})`);
  if (survivors.length > 0) said.push(`left behind and can not be killed: ${survivors.join(' ')}`);
  if (doubtful.length > 0) {
    said.push(`left behind by it or by another attempt: ${doubtful.join(' ')}`);
  }
  return said;
}
