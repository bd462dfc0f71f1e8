import { type ChildProcess, execFile } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { spawnTied } from '@understudy/shared/runtime/child';
import { signal } from './proc.ts';

const ofCheckout = fileURLToPath(new URL('../../../../scripts/bin/understudy.js', import.meta.url));

/** Names another installation than the checkout in the environment of what is started. */
export const PROGRAM_VARIABLE = 'TEST_PROGRAM';

export interface Program {
  readonly pid: number;
  readonly running: boolean;
  /** Settles with the exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  signal(name: NodeJS.Signals): void;
}

/** Runs `understudy ...` as a service manager would; its output is appended to the log. */
export function startProgram(
  args: readonly string[],
  options: {
    readonly log: string;
    readonly environment: NodeJS.ProcessEnv;
    /** Put before the command, makes it run where it belongs. */
    readonly prefix?: readonly string[];
  },
): Program {
  const log = openSync(options.log, 'a');
  // Tied to the test's own life: nothing is left when a test is killed.
  const program = [process.execPath, programOf(options.environment), ...args];
  const child = spawnTied([...(options.prefix ?? []), ...program], {
    env: options.environment,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const { pid } = child;
  if (pid === undefined) throw new Error(`could not start understudy ${args.join(' ')}`);
  return {
    pid,
    get running() {
      return child.exitCode === null && child.signalCode === null;
    },
    ended: endOf(child),
    signal: (name) => signal(pid, name),
  };
}

async function endOf(child: ChildProcess): Promise<number | NodeJS.Signals> {
  const [code, name] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  return code ?? name ?? 'SIGKILL';
}

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const COMMAND_WITHIN_MS = 30_000;

/** Runs a command of `understudy` to its end. */
export function runCommand(
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
  prefix: readonly string[] = [],
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const options = { env: environment, timeout: COMMAND_WITHIN_MS, encoding: 'utf8' } as const;
    const [program = '', ...rest] = [
      ...[...prefix, process.execPath, programOf(environment)],
      ...args,
    ];
    execFile(program, rest, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, stdout, stderr });
    });
  });
}

function programOf(environment: NodeJS.ProcessEnv): string {
  return environment[PROGRAM_VARIABLE] ?? ofCheckout;
}

/** The last lines of a log, for a test that failed. */
export function lastLines(folder: string, name: string, count: number): string {
  const file = join(folder, name);
  if (!existsSync(file)) return '';
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-count).join('\n');
}
