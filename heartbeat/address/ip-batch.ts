import type { ChildProcess } from 'node:child_process';
import { findProgram, killGroup, spawnTied } from '@understudy/shared/runtime/child';
import { messageOf } from '@understudy/shared/runtime/errors';

/** What is said beside the error itself. */
const NOISE = /^Command failed -:\d+$/;
const MOST_SAID = 500;

/**
 * One `ip` (iproute2) that reads its commands from us, all in one process, and goes on after one that fails. It is
 * tied to the life of this process: nothing is put on an interface for a heartbeat that is dead.
 */
export class IpBatch {
  readonly #child: ChildProcess | null;
  readonly #ended: Promise<string | null>;
  #stderr = '';

  /** Starts it; it waits for its commands. */
  constructor() {
    const started = start();
    this.#child = typeof started === 'string' ? null : started;
    this.#ended = typeof started === 'string' ? Promise.resolve(started) : this.#endOf(started);
  }

  /**
   * Runs these commands. Null: all went well; else what went wrong. After `withinMs` it is killed: it may have
   * carried them out or not. Never rejects.
   */
  async run(lines: readonly string[], withinMs: number): Promise<string | null> {
    const limit = setTimeout(() => this.breakOff(`no answer within ${withinMs} ms`), withinMs);
    this.#child?.stdin?.end(`${lines.join('\n')}\n`);
    const error = await this.#ended;
    clearTimeout(limit);
    return error;
  }

  /** Kills it. */
  breakOff(reason = 'it was broken off'): void {
    if (this.#child === null || hasEnded(this.#child)) return;
    this.#stderr = reason;
    // With whatever it has started, should something stand in front of it.
    if (this.#child.pid !== undefined) killGroup(this.#child.pid, 'SIGKILL');
  }

  #endOf(child: ChildProcess): Promise<string | null> {
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      if (this.#stderr.length < MOST_SAID) this.#stderr += text;
    });
    // One that has ended does not read; how it ended is told by its end.
    child.stdin?.on('error', () => undefined);
    return new Promise((resolve) => {
      child.on('error', (error) => resolve(`ip: ${messageOf(error)}`));
      child.on('close', (code, signal) => {
        if (code === 0) return resolve(null);
        const said = this.#stderr.split('\n').filter((line) => line !== '' && !NOISE.test(line));
        resolve(`ip: ${said.join('; ') || `exit ${code ?? signal}`}`);
      });
    });
  }
}

function start(): ChildProcess | string {
  try {
    return spawnTied([findProgram('ip'), '-force', '-batch', '-'], {
      stdio: ['pipe', 'ignore', 'pipe'],
    });
  } catch (error) {
    return `ip: it could not be started: ${messageOf(error)}`;
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}
