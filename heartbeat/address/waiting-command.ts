import type { ChildProcess } from 'node:child_process';
import { findProgram, killGroup, spawnTied } from '@understudy/shared/runtime/child';
import { messageOf } from '@understudy/shared/runtime/errors';

/** How a program ended. */
export interface Ending {
  readonly isWell: boolean;
  /** What it complained of, line by line. */
  readonly said: readonly string[];
  /** When it said nothing: how it ended. */
  readonly how: string;
}

const MOST_SAID = 500;

/**
 * A program that was started and waits for its input: to start one takes several milliseconds in which nothing else is
 * done here, to let it go on takes one. It is tied to the life of this process: nothing is done on the network for a
 * heartbeat that is dead.
 */
export class WaitingCommand {
  readonly #child: ChildProcess;
  readonly #ended: Promise<Ending>;
  #said = '';

  /** Starts it. */
  constructor([program = '', ...args]: readonly string[]) {
    const command = [findProgram(program), ...args];
    this.#child = spawnTied(command, { stdio: ['pipe', 'ignore', 'pipe'] });
    this.#ended = this.#endOf(this.#child);
  }

  /** Whether it lives and waits, as far as is known. */
  get isWaiting(): boolean {
    return !hasEnded(this.#child);
  }

  /** Gives it all its input. After `withinMs` it is killed: it may have done its work or not. Never rejects. */
  async run(input: string, withinMs: number): Promise<Ending> {
    const limit = setTimeout(() => this.breakOff(`no answer within ${withinMs} ms`), withinMs);
    this.#child.stdin?.end(input);
    const ending = await this.#ended;
    clearTimeout(limit);
    return ending;
  }

  /** Kills it. */
  breakOff(reason = 'it was broken off'): void {
    if (hasEnded(this.#child)) return;
    this.#said = reason;
    // With whatever it has started, should something stand in front of it.
    if (this.#child.pid !== undefined) killGroup(this.#child.pid, 'SIGKILL');
  }

  #endOf(child: ChildProcess): Promise<Ending> {
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      if (this.#said.length < MOST_SAID) this.#said += text;
    });
    // One that has ended does not read; how it ended is told by its end.
    child.stdin?.on('error', () => undefined);
    return new Promise((resolve) => {
      child.on('error', (error) => {
        resolve({ isWell: false, said: [], how: `it could not be started: ${messageOf(error)}` });
      });
      child.on('close', (code, signal) => {
        const said = this.#said.split('\n').filter(Boolean);
        resolve({ isWell: code === 0, said, how: `exit ${code ?? signal}` });
      });
    });
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}
