import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { killGroup, spawnTied } from '@understudy/shared/runtime/child';
import type { FromHost, HostedStart, HostNews, ToHost } from '../host/link.ts';
import type { Running } from './execute.ts';
import { HostedAttempt } from './hosted-attempt.ts';
import type { Tree, Trees } from './trees.ts';

export interface HostProcessOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly trees: Trees;
  readonly onFault: (reason: string) => void;
  readonly onGone: () => void;
}

/** A start, and what the worker keeps to itself of it. */
export interface HostedOrder {
  readonly start: HostedStart;
  readonly timeoutMs: number | null;
  readonly graceMs: number;
}

const program = fileURLToPath(new URL('../host/main.js', import.meta.url));

/** How often a host with work is asked whether it is well, and how many answers in a row it may owe. */
const CHECK_EVERY_MS = 1_000;
const CHECKS_OWED = 30;
/** One that has not answered for so long gets nothing new to do, as long as there is another one. */
const BUSY_AFTER_MS = 250;
/** So long the others in a host may still take when one of them does not end. */
const FAREWELL_MS = 5_000;

/** One module host as a child process, with the attempts in it. */
export class HostProcess {
  readonly #child: ChildProcess;
  /** Null: it could not be started. */
  readonly #tree: Tree | null;
  readonly #options: HostProcessOptions;
  readonly #open = new Map<string, HostedAttempt>();
  readonly #checks: NodeJS.Timeout;
  #starts: HostedStart[] = [];
  #owed = 0;
  /** When the first of what it has yet to answer was sent. */
  #askedAtMs: number | null = null;
  #isRetired = false;
  #isReady = false;
  #isGone = false;
  #ranModules = false;
  #farewell: NodeJS.Timeout | undefined;
  /** Why it is to be killed; null: it is not. */
  #doom: string | null = null;
  idleSinceMs = performance.now();

  constructor(options: HostProcessOptions) {
    this.#options = options;
    const mark = `UNDERSTUDY_MODULE_HOST=${randomUUID()}`;
    const [name = '', value = ''] = mark.split('=');
    this.#child = spawnTied([process.execPath, program], {
      env: { ...options.env, [name]: value },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const { pid } = this.#child;
    const carries = (environment: string): boolean => environment.includes(`\0${mark}\0`);
    const isSuspect = (): boolean => this.#ranModules;
    this.#tree = pid === undefined ? null : options.trees.add({ pid, carries, isSuspect });
    this.#checks = setInterval(() => this.#check(), CHECK_EVERY_MS);
    this.#child.on('message', (message: FromHost) => this.#take(message));
    this.#child.on('error', (error) => void this.#ended(error.message));
    this.#child.once('exit', (code, signal) => void this.#ended(signal ?? `exit code ${code}`));
  }

  get isRetired(): boolean {
    return this.#isRetired;
  }

  /** Whether it is slow to answer: something in it keeps it from everything else. */
  get isBusy(): boolean {
    return this.#askedAtMs !== null && performance.now() - this.#askedAtMs > BUSY_AFTER_MS;
  }

  get isIdle(): boolean {
    return this.#open.size === 0;
  }

  start({ start, timeoutMs, graceMs }: HostedOrder): Running {
    const { id, job, run, log, outputLimit } = start;
    const attempt = new HostedAttempt({
      ...{ pid: this.#child.pid ?? 0, timeoutMs, graceMs },
      abort: (reason) => this.#send({ type: 'abort', id, reason }),
      giveUp: (isUrgent) => this.#giveUp(`run ${run} of ${job} did not end`, isUrgent),
      keptBytes: () => Math.min(bytesOf(log), outputLimit?.limitBytes ?? Number.MAX_SAFE_INTEGER),
    });
    this.#open.set(id, attempt);
    this.#ranModules ||= start.action.type === 'module';
    this.#starts.push(start);
    // What is ordered in the same moment travels together.
    if (this.#starts.length === 1) setImmediate(() => this.#flush());
    return attempt;
  }

  /** It gets nothing new to do, and ends when nothing is left in it. */
  retire(): void {
    this.#isRetired = true;
    this.#leaveWhenIdle();
  }

  #leaveWhenIdle(): void {
    if (this.#isRetired && this.isIdle && this.#child.connected) this.#child.disconnect();
  }

  #flush(): void {
    const starts = this.#starts;
    this.#starts = [];
    this.#send({ type: 'start', starts });
  }

  #take(message: FromHost): void {
    this.#owed = 0;
    if (message.type === 'ready') this.#isReady = true;
    else this.#askedAtMs = null;
    if (message.type !== 'news') return;
    for (const news of message.news) this.#hear(news);
    this.#killWhenDeserted();
    if (this.isIdle) this.idleSinceMs = performance.now();
    this.#leaveWhenIdle();
  }

  #hear(news: HostNews): void {
    if (news.type === 'fault') {
      this.#options.onFault(news.reason);
      this.#isRetired = true;
      return;
    }
    const attempt = this.#open.get(news.id);
    if (attempt === undefined) return;
    if (news.type === 'wrote') attempt.wrote(news.bytes);
    else if (news.type === 'failing') {
      attempt.end({ outcome: 'signalled', reason: news.reason });
    } else {
      this.#open.delete(news.id);
      attempt.finish(news.end);
    }
  }

  /** An attempt did not end within its grace. The others may finish, for a while, if they still can. */
  #giveUp(why: string, isUrgent: boolean): void {
    this.#isRetired = true;
    this.#doom ??= `its module host was killed because ${why}`;
    if (isUrgent) this.#kill();
    this.#farewell ??= setTimeout(() => this.#kill(), FAREWELL_MS);
    this.#killWhenDeserted();
  }

  #killWhenDeserted(): void {
    if (this.#doom === null) return;
    const isDeserted = [...this.#open.values()].every((attempt) => attempt.isGivenUp);
    if (isDeserted || this.isBusy) this.#kill();
  }

  #check(): void {
    if (this.isIdle) {
      this.#owed = 0;
      return;
    }
    if (this.#owed >= CHECKS_OWED) {
      this.#doom ??= `its module host did not answer for ${CHECKS_OWED} s and was killed`;
      this.#kill();
      return;
    }
    this.#owed += 1;
    this.#send({ type: 'check' });
  }

  #kill(): void {
    if (this.#child.pid !== undefined) killGroup(this.#child.pid, 'SIGKILL');
  }

  async #ended(how: string): Promise<void> {
    if (this.#isGone) return;
    this.#isGone = true;
    clearInterval(this.#checks);
    clearTimeout(this.#farewell);
    this.#isRetired = true;
    this.#options.onGone();
    await this.#tree?.end(0);
    const open = [...this.#open.values()];
    this.#open.clear();
    const reason = this.#doom ?? `its module host ended (${how})`;
    const left = !this.#isReady ? 'not-started' : open.length === 1 ? 'signalled' : 'lost';
    for (const attempt of open) attempt.hostGone(reason, left);
  }

  #send(message: ToHost): void {
    if (this.#isReady) this.#askedAtMs ??= performance.now();
    // A channel that just closed is not news: the end of the child is.
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }
}

/** How much output of an attempt lies on the disk. */
function bytesOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
