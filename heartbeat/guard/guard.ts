import { type ChildProcess, spawn } from 'node:child_process';
import { formatTerm, type Term } from '@understudy/shared/kernel/term';
import {
  type FromController,
  type Tenure,
  toControllerSchema,
} from '@understudy/shared/protocol/tenure';
import type { ControllerHostConfig } from '@understudy/shared/runtime/config/types';
import { messageOf } from '@understudy/shared/runtime/errors';
import { runCheck } from './check.ts';

const CHECK_PAUSE_MS = 50;
const LAST_WORDS_MS = 5;
/** Timers of Node hold 31 bits; a longer wait is cut into pieces. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Starts the wrapped program with a tenure, watches the tenure's deadline, and, while it serves, answers probes by the check. */
export class Guard {
  readonly #send: (message: FromController) => void;
  #config: ControllerHostConfig | null = null;
  #program: ChildProcess | null = null;
  /** From the announcement that it serves until it is asked to end. */
  #isServing = false;
  #isEnding = false;
  #deadlineNs = 0n;
  #deadlineTimer: NodeJS.Timeout | null = null;

  constructor(send: (message: FromController) => void) {
    this.#send = send;
  }

  hear(message: unknown): void {
    const said = toControllerSchema.parse(message);
    switch (said.type) {
      case 'configure':
        // The heartbeat validated it; it comes through a channel that only the heartbeat has.
        this.#config = said.config as ControllerHostConfig;
        return this.#send({ type: 'ready' });
      case 'activate':
        return this.#activate(said.tenure);
      case 'extend':
        return this.#guardUntil(said.tenure);
      case 'probe':
        return void this.#answerProbe(said.seq);
      case 'deactivate':
        return this.deactivate(said.graceMs);
      case 'hold':
        // What a program has under way is not ours to see: its tenure ends with it, and can be given on.
        return this.deactivate(this.#config?.controller.stopTimeoutMs ?? said.forMs);
      case 'resume':
      case 'forward':
        // Both follow a hold, which this process does not outlive.
        return;
    }
  }

  /** Asks the program to end, and kills it when it has not after `graceMs`. */
  deactivate(graceMs: number): void {
    this.#isEnding = true;
    this.#isServing = false;
    if (this.#program === null) process.exit(0);
    this.#program.removeAllListeners('exit');
    this.#program.on('exit', () => this.killGroup());
    this.#program.kill('SIGTERM');
    setTimeout(() => this.killGroup(), graceMs);
  }

  /** Ends everything of this process group at once, this process with it. */
  killGroup(): never {
    process.kill(-process.pid, 'SIGKILL');
    // Not reached: the signal is delivered before the call returns.
    process.exit(1);
  }

  #activate(tenure: Tenure): void {
    const config = this.#config;
    if (config === null) return this.#end('activated before it was configured');
    this.#guardUntil(tenure);
    const program = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...config.controller.command], {
      env: {
        ...process.env,
        UNDERSTUDY_NODE: config.node,
        UNDERSTUDY_PAIR: config.pair,
        UNDERSTUDY_TERM: formatTerm(tenure.term),
        UNDERSTUDY_ROLE: 'active',
      },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    this.#program = program;
    program.on('error', (error) => this.#end(`it could not be started: ${messageOf(error)}`));
    program.on('exit', (code, signal) => {
      this.#end(`the program ended with ${signal ?? `exit code ${code}`}`);
    });
    program.on('spawn', () => void this.#announceServing(tenure.term));
  }

  async #announceServing(term: Term): Promise<void> {
    while ((await this.#problem()) !== null) {
      await new Promise((resolve) => setTimeout(resolve, CHECK_PAUSE_MS));
    }
    if (this.#isEnding) return;
    this.#isServing = true;
    this.#send({ type: 'serving', term: formatTerm(term) });
  }

  /** The check is meant for a program that serves: to start and to end has limits of its own. */
  async #answerProbe(seq: number): Promise<void> {
    const found = this.#isServing ? await this.#problem() : null;
    const problem = this.#isServing ? found : null;
    const problems = problem === null ? [] : [problem];
    this.#send({ type: 'probed', seq, healthy: problem === null, problems });
  }

  async #problem(): Promise<string | null> {
    const check = this.#config?.controller.check ?? null;
    return check === null ? null : runCheck(check);
  }

  #guardUntil(tenure: Tenure): void {
    if (tenure.trustedUntilNs > this.#deadlineNs) this.#deadlineNs = tenure.trustedUntilNs;
    if (this.#deadlineTimer === null) this.#planDeadline();
  }

  #planDeadline(): void {
    const leftMs = Number(this.#deadlineNs - process.hrtime.bigint()) / 1e6;
    if (leftMs <= 0) return this.killGroup();
    this.#deadlineTimer = setTimeout(
      () => this.#planDeadline(),
      Math.min(Math.ceil(leftMs), LONGEST_TIMER_MS),
    );
  }

  #end(reason: string): void {
    this.#send({ type: 'ending', reason });
    // The reason has a moment to leave this process, before the group goes, this process with it.
    setTimeout(() => this.killGroup(), LAST_WORDS_MS);
  }
}
