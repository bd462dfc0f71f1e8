import { WaitingCommand } from './waiting-command.ts';

/** What is said beside the error itself; and that something is not there which was to be removed, which is no error. */
const NOISE = /^(Command failed -:\d+|RTNETLINK answers: No such process)$/;

/**
 * One `ip` (iproute2) that waits for its commands and reads them from us, all in one process, and goes on after one that
 * fails.
 */
export class IpBatch {
  readonly #command = new WaitingCommand(['ip', '-force', '-batch', '-']);

  /** Whether it lives and waits, as far as is known. */
  get isWaiting(): boolean {
    return this.#command.isWaiting;
  }

  /**
   * Runs these commands. Null: all went well; else what went wrong. After `withinMs` it is killed: it may have
   * carried them out or not. Never rejects.
   */
  async run(lines: readonly string[], withinMs: number): Promise<string | null> {
    const { isWell, said, how } = await this.#command.run(`${lines.join('\n')}\n`, withinMs);
    const complaints = said.filter((line) => !NOISE.test(line));
    if (isWell || (complaints.length === 0 && said.length > 0)) return null;
    return `ip: ${complaints.join('; ') || how}`;
  }

  /** Kills it. */
  breakOff(): void {
    this.#command.breakOff();
  }
}
