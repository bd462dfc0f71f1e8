import type { ChildProcess } from 'node:child_process';
import { backoffMs } from '@understudy/shared/kernel/backoff';
import { formatTerm } from '@understudy/shared/kernel/term';
import { killGroup, spawnTied } from '@understudy/shared/runtime/child';
import type { Clock } from '@understudy/shared/runtime/clock';
import { messageOf } from '@understudy/shared/runtime/errors';
import type { Log } from '@understudy/shared/runtime/log';
import type { Answer, Target } from '../follow/choose.ts';
import {
  graceMs,
  restartBackoff,
  steadyAfterMs,
  type WorkerEvents,
  type WorkerPort,
} from './port.ts';

export interface WrappedWorkerOptions {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** How often the followed controller is looked at. */
  readonly everyMs: number;
  readonly ask: (url: string) => Promise<Answer>;
  /** Keeps the term on disk before the program runs under it. */
  readonly raise: (target: Target) => Promise<void>;
  readonly events: WorkerEvents;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: () => number;
}

/**
 * A program of the user's in the worker's place. It knows nothing of us: it is started with the
 * controller's address, and started anew when that changes. Whether the controller is still there, the
 * heartbeat finds out by itself.
 */
export class WrappedWorker implements WorkerPort {
  readonly #options: WrappedWorkerOptions;
  #child: ChildProcess | null = null;
  #exited: Promise<void> = Promise.resolve();
  #target: Target | null = null;
  #changes: Promise<void> = Promise.resolve();
  #startedAtMs = 0;
  #failures = 0;
  #closed = false;
  #watched = false;
  #restart: NodeJS.Timeout | undefined;
  readonly #watch: NodeJS.Timeout;

  constructor(options: WrappedWorkerOptions) {
    this.#options = options;
    this.#watch = setInterval(() => void this.#look(), options.everyMs);
  }

  /** There is nothing to start before a controller is known. */
  start(): void {}

  follow(target: Target): void {
    this.#changes = this.#changes
      .then(() => this.#change(target))
      .catch((error) => this.#options.events.onLost({ reason: messageOf(error), leaving: false }));
  }

  finish(): Promise<void> {
    return this.stop();
  }

  async stop(): Promise<void> {
    this.#close();
    await this.#changes;
    await this.#end();
  }

  kill(): void {
    this.#close();
    if (this.#child?.pid !== undefined) killGroup(this.#child.pid, 'SIGKILL');
  }

  async #change(target: Target): Promise<void> {
    const { events, raise } = this.#options;
    const same = this.#target?.url === target.url && this.#target.term === target.term;
    if (!same) {
      clearTimeout(this.#restart);
      this.#target = null;
      await this.#end();
      await raise(target);
      this.#target = target;
      this.#failures = 0;
      if (!this.#closed) this.#run(target);
    }
    this.#watched = true;
    events.onJoined(target.term);
  }

  #run(target: Target): void {
    const { command, env, log, clock } = this.#options;
    const term = formatTerm(target.term);
    const child = spawnTied(command, {
      env: {
        ...process.env,
        ...env,
        UNDERSTUDY_CONTROLLER_URL: target.url,
        UNDERSTUDY_TERM: term,
      },
    });
    this.#child = child;
    this.#startedAtMs = clock.monotonicMs();
    log.info('the wrapped worker was started', { pid: child.pid, url: target.url, term });
    this.#exited = new Promise((resolve) => {
      const over = (how: string): void => {
        resolve();
        this.#ended(child, how);
      };
      child.once('error', (error) => over(error.message));
      child.once('exit', (code, signal) => over(signal ?? `exit code ${code}`));
    });
  }

  #ended(child: ChildProcess, how: string): void {
    if (this.#child !== child) return;
    this.#child = null;
    if (child.pid !== undefined) killGroup(child.pid, 'SIGKILL');
    const target = this.#target;
    if (this.#closed || target === null) return;
    const { log, clock, random } = this.#options;
    const lived = clock.monotonicMs() - this.#startedAtMs;
    this.#failures = lived >= steadyAfterMs ? 1 : this.#failures + 1;
    const afterMs = Math.round(backoffMs(restartBackoff, this.#failures - 1, random()));
    log.error('the wrapped worker ended and is started again', { how, afterMs });
    this.#restart = setTimeout(() => this.#run(target), afterMs);
  }

  /** SIGTERM to the program's group, SIGKILL after the grace. */
  async #end(): Promise<void> {
    const pid = this.#child?.pid;
    if (pid === undefined) return;
    killGroup(pid, 'SIGTERM');
    const killer = setTimeout(() => killGroup(pid, 'SIGKILL'), graceMs);
    await this.#exited;
    clearTimeout(killer);
    killGroup(pid, 'SIGKILL');
  }

  async #look(): Promise<void> {
    const target = this.#target;
    if (!this.#watched || target === null) return;
    const answer = await this.#options.ask(target.url);
    if (!this.#watched || this.#target !== target || this.#closed) return;
    if (answer.type === 'ready' && answer.target.term === target.term) return;
    this.#watched = false;
    const reason =
      answer.type === 'ready' ? `it serves term ${answer.target.term} now` : answer.reason;
    this.#options.events.onLost({ reason, leaving: false });
  }

  #close(): void {
    this.#closed = true;
    clearInterval(this.#watch);
    clearTimeout(this.#restart);
  }
}
