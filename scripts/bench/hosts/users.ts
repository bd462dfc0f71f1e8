import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { spawnTied } from '@understudy/shared/runtime/child';
import { UserError } from '@understudy/shared/runtime/errors';
import type { NetworkHost } from '../../hosts/network-host.ts';
import { isGood } from '../load/judge.ts';
import type { LoadOptions, Sent } from '../load/load.ts';
import { longestGapMs } from './longest-gap.ts';

const MAIN = fileURLToPath(new URL('./user-main.js', import.meta.url));
const WARM_AFTER_ANSWERS = 20;
const WARM_WITHIN_MS = 30_000;
const ENDED_WITHIN_MS = 20_000;

/** How a user comes: over a connection for this request alone, or over one that is kept. */
export type Connection = 'new' | 'kept';

/** Users on another host, who ask under one address for as long as they live. */
export class Users {
  readonly #child: ChildProcess;
  readonly #sent: Sent[] = [];
  readonly #ended: Promise<void>;
  #beganAt = Date.now();

  private constructor(child: ChildProcess) {
    const { stdout } = child;
    if (stdout === null) throw new Error('users without output');
    this.#child = child;
    const lines = createInterface({ input: stdout });
    lines.on('line', (line) => this.#sent.push(JSON.parse(line) as Sent));
    this.#ended = once(lines, 'close').then(() => undefined);
  }

  static start(host: NetworkHost, options: Omit<LoadOptions, 'onDone'>): Users {
    const command = [...host.prefix, process.execPath, MAIN, JSON.stringify(options)];
    return new Users(spawnTied(command, { stdio: ['ignore', 'pipe', 'inherit'] }));
  }

  /** Waits for the first answers of both kinds of connections, so that code and connections are warm. */
  async warm(): Promise<void> {
    const deadline = performance.now() + WARM_WITHIN_MS;
    const answers = (connection: Connection) => this.#answeredAt(connection).length;
    while (answers('new') < WARM_AFTER_ANSWERS || answers('kept') < WARM_AFTER_ANSWERS) {
      if (performance.now() > deadline) throw new UserError('nobody answers where users would ask');
      await delay(20);
    }
  }

  /** From now on the longest silence is looked for. */
  begin(): void {
    this.#beganAt = Date.now();
  }

  /** The longest time without a successful answer over such connections since `begin`, up to now. */
  longestSilenceMs(connection: Connection): number {
    return longestGapMs(this.#answeredAt(connection), this.#beganAt, Date.now());
  }

  /** Begins nothing more, and waits for the answers that are missing: all requests there were. */
  async finish(): Promise<readonly Sent[]> {
    this.#child.kill('SIGTERM');
    const limit = new AbortController();
    const late = delay(ENDED_WITHIN_MS, 'late', { signal: limit.signal }).catch(() => 'ended');
    const how = await Promise.race([this.#ended, late]);
    limit.abort();
    if (how === 'late') throw new UserError(`users had no end within ${ENDED_WITHIN_MS / 1_000} s`);
    return this.#sent;
  }

  /** Ends them at once. */
  stop(): void {
    this.#child.kill('SIGKILL');
  }

  #answeredAt(connection: Connection): readonly number[] {
    return this.#sent.flatMap((sent) => {
      const isMeant = sent.isKeptAlive === (connection === 'kept');
      return isMeant && isGood(sent) ? [sent.sentAt + sent.tookMs] : [];
    });
  }
}
