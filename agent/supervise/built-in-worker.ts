import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { backoffMs } from '@understudy/shared/kernel/backoff';
import { parseTerm, type Term } from '@understudy/shared/kernel/term';
import { killGroup, spawnTied } from '@understudy/shared/runtime/child';
import type { Clock } from '@understudy/shared/runtime/clock';
import type { Log } from '@understudy/shared/runtime/log';
import type { Target } from '../follow/choose.ts';
import type { FromWorker, ToWorker, WorkerConfig } from '../worker/link.ts';
import { restartBackoff, steadyAfterMs, type WorkerEvents, type WorkerPort } from './port.ts';

export interface BuiltInWorkerOptions {
  readonly config: WorkerConfig;
  readonly env: Readonly<Record<string, string>>;
  readonly events: WorkerEvents;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: () => number;
}

const program = fileURLToPath(new URL('../worker/main.js', import.meta.url));

/** How often the worker is asked whether it is well, and how many answers in a row it may owe. */
const checkEveryMs = 1_000;
const checksOwed = 5;

/** So long a clean stop may take to report what it ended. */
const reportWithinMs = 2_000;
/** And so long beside that, until it has said how long what runs may take, and when it is late. */
const lateAfterMs = 3_000;

/** The built-in worker as a child process: started, watched, and started again when it ends. */
export class BuiltInWorker implements WorkerPort {
  readonly #options: BuiltInWorkerOptions;
  #child: ChildProcess | null = null;
  #startedAtMs = 0;
  #failures = 0;
  #owed = 0;
  #ready = false;
  #target: Target | null = null;
  #closing = false;
  #idle: (() => void) | null = null;
  #late: NodeJS.Timeout | undefined;
  #restart: NodeJS.Timeout | undefined;
  readonly #checks: NodeJS.Timeout;

  constructor(options: BuiltInWorkerOptions) {
    this.#options = options;
    this.#checks = setInterval(() => this.#check(), checkEveryMs);
  }

  start(): void {
    const { config, env, clock } = this.#options;
    const child = spawnTied([process.execPath, program], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child = child;
    this.#startedAtMs = clock.monotonicMs();
    [this.#owed, this.#ready] = [0, false];
    child.on('message', (message: FromWorker) => this.#take(message));
    child.on('error', (error) => this.#ended(child, error.message));
    child.on('exit', (code, signal) => this.#ended(child, signal ?? `exit code ${code}`));
    this.#send({ type: 'configure', config });
  }

  follow(target: Target): void {
    this.#target = target;
    if (this.#ready) this.#send({ type: 'follow', url: target.url, node: target.node });
  }

  finish(running: 'finish' | 'kill'): Promise<void> {
    return this.#close({ type: running });
  }

  /** Takes no longer than the grace of what runs, the time to report it, and a little more. */
  async stop(): Promise<void> {
    const closed = this.#close({ type: 'stop', reportWithinMs });
    this.#lateAfter(reportWithinMs + lateAfterMs);
    await closed;
    clearTimeout(this.#late);
  }

  kill(): void {
    this.#closing = true;
    clearInterval(this.#checks);
    clearTimeout(this.#restart);
    clearTimeout(this.#late);
    if (this.#child?.pid !== undefined) killGroup(this.#child.pid, 'SIGKILL');
  }

  #close(message: ToWorker): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#restart);
    if (this.#child === null) return Promise.resolve();
    this.#send(message);
    return new Promise((resolve) => {
      const before = this.#idle;
      this.#idle = () => {
        before?.();
        resolve();
      };
    });
  }

  #lateAfter(ms: number): void {
    clearTimeout(this.#late);
    this.#late = setTimeout(() => this.#idle?.(), ms);
  }

  #take(message: FromWorker): void {
    const { events, log } = this.#options;
    switch (message.type) {
      case 'ready':
        this.#ready = true;
        if (this.#target !== null && !this.#closing) this.follow(this.#target);
        return;
      case 'joined':
        events.onJoined(termOf(message.term));
        return;
      case 'heard':
        events.onHeard(termOf(message.term));
        return;
      case 'lost':
        this.#target = null;
        events.onLost(message.loss);
        return;
      case 'well':
        this.#owed = 0;
        return;
      case 'stopping':
        this.#lateAfter(message.withinMs + lateAfterMs);
        return;
      case 'idle':
        if (message.unreported > 0) {
          log.info('results stay in the data folder until a controller takes them', {
            unreported: message.unreported,
          });
        }
        this.#idle?.();
        return;
      case 'unfit':
        events.onUnfit(message.message, message.exitCode);
        return;
      case 'log':
        log.with({ process: 'worker' })[message.level](message.message, message.fields);
    }
  }

  #check(): void {
    if (this.#child?.pid === undefined) return;
    if (this.#owed >= checksOwed) {
      this.#options.log.error('the worker hangs and is killed', { unanswered: this.#owed });
      killGroup(this.#child.pid, 'SIGKILL');
      return;
    }
    this.#owed += 1;
    this.#send({ type: 'check' });
  }

  #ended(child: ChildProcess, how: string): void {
    if (this.#child !== child) return;
    this.#child = null;
    this.#ready = false;
    this.#idle?.();
    if (this.#closing) return;
    const { log, clock, random, events } = this.#options;
    const lived = clock.monotonicMs() - this.#startedAtMs;
    this.#failures = lived >= steadyAfterMs ? 1 : this.#failures + 1;
    const afterMs = Math.round(backoffMs(restartBackoff, this.#failures - 1, random()));
    log.error('the worker ended and is started again', { how, afterMs });
    this.#restart = setTimeout(() => this.start(), afterMs);
    if (this.#target === null) return;
    this.#target = null;
    events.onLost({ reason: `the worker ended (${how})`, leaving: false });
  }

  #send(message: ToWorker): void {
    // A channel that just closed is not news: the end of the child is.
    if (this.#child?.connected === true) this.#child.send(message, () => undefined);
  }
}

function termOf(text: string): Term {
  return parseTerm(text) ?? 0n;
}
