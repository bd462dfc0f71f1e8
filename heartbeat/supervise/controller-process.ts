import type { ChildProcess } from 'node:child_process';
import { backoffMs } from '@understudy/shared/kernel/backoff';
import { formatTerm, type Term } from '@understudy/shared/kernel/term';
import {
  type FromControllerParsed,
  fromControllerSchema,
  type ToController,
} from '@understudy/shared/protocol/tenure';
import { killGroup, spawnTied } from '@understudy/shared/runtime/child';
import { msToNs } from '@understudy/shared/runtime/clock';
import { messageOf } from '@understudy/shared/runtime/errors';
import type { Log } from '@understudy/shared/runtime/log';
import { passFailpoint } from '../failpoints.ts';
import { lowerPriority, raisePriority } from './priority.ts';
import { endRemains } from './remains.ts';

/** What happens to the controller's process, in the words of the role machine. */
export type ControllerEvent =
  | { readonly kind: 'controller-starting' }
  | { readonly kind: 'controller-ready' }
  | { readonly kind: 'controller-unready'; readonly problems: readonly string[] }
  | { readonly kind: 'controller-listening'; readonly term: Term }
  | { readonly kind: 'controller-serving'; readonly term: Term }
  | { readonly kind: 'controller-held' }
  | { readonly kind: 'controller-hold-failed'; readonly reason: string }
  | { readonly kind: 'controller-saw-higher-term'; readonly term: Term }
  | { readonly kind: 'controller-gone'; readonly detail: string };

export interface ControllerProcessOptions {
  /** The program and its arguments: the built-in controller, or the guard of a wrapped one. */
  readonly command: readonly string[];
  /** How the kernel ends it with this heartbeat: a guard is told, for it has to end others. */
  readonly deathSignal: 'KILL' | 'TERM';
  /**
   * The entry of the environment by which all that it starts is found, wherever that went; null for
   * the built-in controller, which starts nothing and whose end is reported without a look at every process.
   */
  readonly mark: string | null;
  /** Sent to it first. */
  readonly config: unknown;
  readonly environment: Readonly<Record<string, string>>;
  readonly onEvent: (event: ControllerEvent) => void;
  readonly log: Log;
}

/** A process that ended sooner than this after its start makes the next start wait. */
const EARLY_END_MS = 5_000;
const RESTART = { firstMs: 250, factor: 2, maxMs: 15_000 };
/** How often it is said that something of an ended controller survives SIGKILL. */
const SURVIVOR_EVERY_MS = 2_000;

/**
 * Owns the controller's process: starts it tied to this heartbeat's life, speaks with it over the IPC
 * channel, and reports its end only when it was reaped and nothing of what it started lives any more, as
 * far as that can be known (`endRemains`). What survives SIGKILL delays the report for as long as it lives.
 */
export class ControllerProcess {
  readonly #options: ControllerProcessOptions;
  #child: ChildProcess | null = null;
  #startedAt = 0;
  #earlyEnds = 0;
  #pendingStart: NodeJS.Timeout | null = null;
  /** It was reaped, but what it started still lives. */
  #isEnding = false;
  #probes = new Map<number, (answer: ProbeAnswer) => void>();
  #probeSeq = 0;
  #holdSeq = 0;

  constructor(options: ControllerProcessOptions) {
    this.#options = options;
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  /** How long the present process has been running, in milliseconds; 0 when there is none. */
  get ageMs(): number {
    return this.#child === null ? 0 : performance.now() - this.#startedAt;
  }

  /** Starts it, after a growing pause when it ended early before. Does nothing when it runs. */
  start(): void {
    if (this.#child !== null || this.#isEnding || this.#pendingStart !== null) return;
    const waitMs = this.#earlyEnds < 2 ? 0 : backoffMs(RESTART, this.#earlyEnds - 2, Math.random());
    if (waitMs > 0) {
      this.#options.log.warn('the controller ends soon after each start: waits before the next', {
        waitMs: Math.round(waitMs),
        ends: this.#earlyEnds,
      });
    }
    this.#pendingStart = setTimeout(() => {
      this.#pendingStart = null;
      this.#spawn();
    }, waitMs);
  }

  /** `clockOffsetMs`: wall clock minus monotonic clock, as it was when trust was last checked. */
  activate(term: Term, trustedUntilMs: number, clockOffsetMs: number): void {
    const tenure = { ...wireTenure(term, trustedUntilMs), clockOffsetMs };
    const { pid } = this;
    if (pid !== null && this.#options.mark === null) raisePriority(pid);
    this.#send({ type: 'activate', tenure });
  }

  extend(term: Term, trustedUntilMs: number, failsafe: boolean): void {
    this.#send({ type: 'extend', tenure: wireTenure(term, trustedUntilMs), failsafe });
  }

  /** Asks it to take nothing new and to finish what is under way; it answers by an event. */
  hold(forMs: number): void {
    this.#holdSeq += 1;
    this.#send({ type: 'hold', forMs, seq: this.#holdSeq });
  }

  /** Nothing came of the switch-over: it goes on. */
  resume(): void {
    this.#send({ type: 'resume' });
  }

  /** Its tenure was handed over: it passes on to `to` what comes to it. */
  forward(to: string, forMs: number): void {
    this.#send({ type: 'forward', to, forMs });
  }

  /** Asks it to close its port, answer what is under way and end. */
  drain(graceMs: number): void {
    this.#send({ type: 'deactivate', graceMs });
  }

  /** Kills it and its whole group at once. Its end is reported as an event, also when none ran. */
  kill(): void {
    if (this.#pendingStart !== null) {
      clearTimeout(this.#pendingStart);
      this.#pendingStart = null;
      this.#reportGone('it was not started yet');
      return;
    }
    const pid = this.#child?.pid;
    if (pid !== undefined) killGroup(pid, 'SIGKILL');
  }

  /** Asks over the IPC channel how it is. Answers null when nothing came within the time limit. */
  probe(timeoutMs: number): Promise<ProbeAnswer | null> {
    this.#probeSeq += 1;
    const seq = this.#probeSeq;
    return new Promise((resolve) => {
      const finish = (answer: ProbeAnswer | null) => {
        clearTimeout(timer);
        this.#probes.delete(seq);
        resolve(answer);
      };
      const timer = setTimeout(() => finish(null), timeoutMs);
      this.#probes.set(seq, finish);
      this.#send({ type: 'probe', seq });
    });
  }

  #spawn(): void {
    const { command, environment, deathSignal } = this.#options;
    const child = spawnTied(command, {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      deathSignal,
    });
    this.#child = child;
    // What starts, or is a program of somebody else's, has no right to go before others.
    if (child.pid !== undefined) lowerPriority(child.pid);
    this.#startedAt = performance.now();
    let failure: string | null = null;
    child.on('error', (error) => {
      failure = messageOf(error);
      if (child.pid === undefined) this.#ended(child, `it could not be started: ${failure}`);
    });
    child.on('message', (message) => this.#hear(child, message));
    child.on('exit', (code, signal) => {
      this.#ended(child, failure ?? (signal === null ? `exit code ${code}` : signal));
    });
    this.#send({ type: 'configure', config: this.#options.config });
    this.#options.log.info('starts the controller', { controllerPid: child.pid });
    this.#options.onEvent({ kind: 'controller-starting' });
  }

  #ended(child: ChildProcess, detail: string): void {
    if (this.#child !== child) return;
    const { pid } = child;
    this.#earlyEnds = this.ageMs < EARLY_END_MS ? this.#earlyEnds + 1 : 0;
    this.#child = null;
    for (const answer of this.#probes.values()) answer({ healthy: false, problems: ['it ended'] });
    this.#options.log.info('the controller ended', { detail, controllerPid: pid });
    if (pid === undefined) return this.#reportGone(detail);
    // Whatever it started in its group goes with it, before anybody is told that it is gone.
    const isOver = this.#options.mark === null && !killGroup(pid, 'SIGKILL');
    if (isOver) return this.#reportGone(detail);
    this.#isEnding = true;
    void this.#endRest(pid, detail);
  }

  async #endRest(session: number, detail: string): Promise<void> {
    const { mark, log } = this.#options;
    const isMark = mark === null ? null : (entry: string) => entry === mark;
    for (;;) {
      const { survivor } = await endRemains({ isMark, session, withinMs: SURVIVOR_EVERY_MS });
      if (survivor === null) break;
      log.error('something of the controller survives SIGKILL: its tenure is not over', {
        pid: survivor.pid,
      });
    }
    this.#isEnding = false;
    this.#reportGone(detail);
  }

  #reportGone(detail: string): void {
    this.#options.onEvent({ kind: 'controller-gone', detail });
  }

  #hear(child: ChildProcess, message: unknown): void {
    if (this.#child !== child) return;
    const parsed = fromControllerSchema.safeParse(message);
    if (!parsed.success) {
      this.#options.log.warn('the controller said something unknown', { message });
      return;
    }
    this.#takeIn(parsed.data);
  }

  #takeIn(said: FromControllerParsed): void {
    const { onEvent, log } = this.#options;
    switch (said.type) {
      case 'ready':
        return onEvent({ kind: 'controller-ready' });
      case 'notReady':
        return onEvent({ kind: 'controller-unready', problems: said.reasons });
      case 'listening':
        return onEvent({ kind: 'controller-listening', term: said.term });
      case 'serving':
        passFailpoint('before-serving');
        return onEvent({ kind: 'controller-serving', term: said.term });
      case 'held':
        // What answers an earlier question, that was called off, is no answer to this one.
        if (said.seq === this.#holdSeq) onEvent({ kind: 'controller-held' });
        return;
      case 'holdFailed':
        if (said.seq === this.#holdSeq) {
          onEvent({ kind: 'controller-hold-failed', reason: said.reason });
        }
        return;
      case 'higherTerm':
        return onEvent({ kind: 'controller-saw-higher-term', term: said.term });
      case 'ending':
        return log.info('the controller says that it ends', { reason: said.reason });
      case 'probed':
        return this.#probes.get(said.seq)?.({ healthy: said.healthy, problems: said.problems });
    }
  }

  #send(message: ToController): void {
    const child = this.#child;
    if (child === null || !child.connected) return;
    child.send(message, (error) => {
      // A process that just died closes the channel first; its end is reported by its own event.
      if (error !== null) this.#options.log.debug('the controller cannot be told', { error });
    });
  }
}

export interface ProbeAnswer {
  readonly healthy: boolean;
  readonly problems: readonly string[];
}

function wireTenure(term: Term, trustedUntilMs: number) {
  return { term: formatTerm(term), trustedUntilNs: msToNs(trustedUntilMs).toString() };
}
