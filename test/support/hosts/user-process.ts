import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { NetworkHost } from '@understudy/scripts/hosts/network-host';
import { spawnTied } from '@understudy/shared/runtime/child';
import type { Owner } from '../cluster/owner.ts';
import type { UserOrders, UserRequest } from './user.ts';

const main = fileURLToPath(new URL('./user.js', import.meta.url));

/** A user on a host of his own; see `user.ts`. */
export class UserProcess {
  readonly #child: ChildProcess;
  readonly #history: string;

  private constructor(child: ChildProcess, history: string) {
    this.#child = child;
    this.#history = history;
  }

  static start(owner: Owner, host: NetworkHost, orders: UserOrders): UserProcess {
    const command = [...host.prefix, process.execPath, main, JSON.stringify(orders)];
    const child = spawnTied(command, { stdio: ['ignore', 'ignore', 'inherit'] });
    const user = new UserProcess(child, orders.history);
    owner.teardown(() => user.stop());
    return user;
  }

  /** What is over so far, in the order in which it ended. */
  get requests(): UserRequest[] {
    if (!existsSync(this.#history)) return [];
    const lines = readFileSync(this.#history, 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line) as UserRequest);
  }

  /** Those that were answered with success, by this node if one is named. */
  answered(node?: string): UserRequest[] {
    return this.requests.filter(
      (each) => isFine(each) && (node === undefined || each.node === node),
    );
  }

  /** Those that broke for good, or were refused. */
  get failed(): UserRequest[] {
    return this.requests.filter((each) => !isFine(each));
  }

  /** Those of which a first try broke. */
  get repeated(): UserRequest[] {
    return this.requests.filter(({ errors }) => errors.length > 0);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }
}

function isFine({ status }: UserRequest): boolean {
  return status !== null && status < 300;
}
