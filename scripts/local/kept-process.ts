import type { ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync, renameSync } from 'node:fs';
import { backoffMs } from '@understudy/shared/kernel/backoff';
import { killGroup, spawnTied } from '@understudy/shared/runtime/child';
import { exitCodes } from '@understudy/shared/runtime/errors';

export interface KeptOptions {
  /** For messages, for instance `heartbeat of a`. */
  readonly name: string;
  readonly command: readonly string[];
  readonly logFile: string;
  /** Beside that of this process. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly onEnd: (end: ProcessEnd) => void;
}

export interface ProcessEnd {
  readonly name: string;
  /** `exit code 1` or `SIGKILL`. */
  readonly how: string;
  /** Null: it is not started again, because that would not help. */
  readonly restartInMs: number | null;
  /** Says why, perhaps. */
  readonly logFile: string;
}

/** A process that is started again when it ends, as a service manager would. */
export interface KeptProcess {
  readonly name: string;
  readonly logFile: string;
  /** Null while it does not run. */
  readonly pid: number | null;
  /** From now on it is not started again when it ends. */
  keepDown(): void;
  /** Takes `keepDown` back; starts it when it has ended meanwhile. */
  letUp(): void;
  /** SIGTERM, and SIGKILL to the whole group when that is not enough. It stays ended. */
  stop(): Promise<void>;
}

const BACKOFF = { firstMs: 500, factor: 2, maxMs: 10_000 };
/** A process that lived so long was well; its next end is a first one again. */
const WELL_AFTER_MS = 5_000;
const STOP_WITHIN_MS = 15_000;

/** Starts a process and keeps it running. Its first end is answered at once, further ones after a growing delay. */
export function keepProcess(options: KeptOptions): KeptProcess {
  rotate(options.logFile);
  let child: ChildProcess | null = null;
  let timer: NodeJS.Timeout | null = null;
  let isStopping = false;
  let isKeptDown = false;
  let endsInARow = 0;
  let onEnded: () => void = () => undefined;

  const start = () => {
    timer = null;
    const startedAt = performance.now();
    const log = openSync(options.logFile, 'a', 0o600);
    const started = spawnTied(options.command, {
      env: { ...ownEnvironment(), ...options.environment },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    child = started;
    started.once('error', () => ended('could not be started', null));
    started.once('exit', (code, signal) => {
      if (performance.now() - startedAt > WELL_AFTER_MS) endsInARow = 0;
      // What it left in its group must not live on beside its successor.
      if (started.pid !== undefined) killGroup(started.pid, 'SIGKILL');
      ended(signal ?? `exit code ${code}`, code);
    });
  };
  const ended = (how: string, code: number | null) => {
    child = null;
    onEnded();
    if (isStopping) return;
    const stays = isKeptDown || code === exitCodes.badConfig;
    const restartInMs = stays ? null : restartDelayMs(endsInARow);
    endsInARow += 1;
    options.onEnd({ name: options.name, how, restartInMs, logFile: options.logFile });
    if (restartInMs !== null) timer = setTimeout(start, restartInMs);
  };

  start();
  return {
    name: options.name,
    logFile: options.logFile,
    get pid() {
      return child?.pid ?? null;
    },
    keepDown: () => {
      isKeptDown = true;
    },
    letUp: () => {
      isKeptDown = false;
      if (child === null && timer === null && !isStopping) start();
    },
    stop: async () => {
      isStopping = true;
      if (timer !== null) clearTimeout(timer);
      const { pid } = child ?? {};
      if (pid === undefined) return;
      const gone = new Promise<void>((resolve) => {
        onEnded = resolve;
      });
      process.kill(pid, 'SIGTERM');
      // A process that was stopped (SIGSTOP) takes a SIGTERM only once it goes on.
      process.kill(pid, 'SIGCONT');
      const limit = setTimeout(() => killGroup(pid, 'SIGKILL'), STOP_WITHIN_MS);
      await gone;
      clearTimeout(limit);
    },
  };
}

function restartDelayMs(endsInARow: number): number {
  return endsInARow === 0 ? 0 : backoffMs(BACKOFF, endsInARow - 1, Math.random());
}

/** The last start's log stays beside the new one. */
function rotate(file: string): void {
  if (existsSync(file)) renameSync(file, `${file}.1`);
}

/** The hosts are described by their files alone: settings in our own environment are not theirs. */
function ownEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('UNDERSTUDY_')),
  );
}
