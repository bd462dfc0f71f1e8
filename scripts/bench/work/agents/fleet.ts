import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export type FleetRequest =
  | {
      readonly type: 'start';
      readonly count: number;
      readonly prefix: string;
      readonly ports: readonly number[];
      readonly token: string;
      readonly slots: number;
    }
  | { readonly type: 'note-starts'; readonly isOn: boolean }
  | { readonly type: 'tell-starts' }
  | { readonly type: 'tell-joined' }
  | { readonly type: 'stop' };

export type FleetAnswer =
  | { readonly type: 'starts'; readonly starts: readonly (readonly [string, number])[] }
  | { readonly type: 'joined'; readonly joined: readonly Joined[] };

/** Which term an agent follows, and since when, in milliseconds of the host's monotonic clock. */
export interface Joined {
  readonly term: string;
  readonly atMs: number;
}

const MAIN = fileURLToPath(new URL('./fleet-main.js', import.meta.url));

/** Simulated agents in a process of their own. */
export class Fleet {
  readonly #child: ChildProcess;

  constructor(options: Omit<Extract<FleetRequest, { type: 'start' }>, 'type'>) {
    this.#child = fork(MAIN, { stdio: 'inherit' });
    this.#send({ type: 'start', ...options });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** From now on it is noted when the order of a run arrives, or no longer. */
  noteStarts(isOn: boolean): void {
    this.#send({ type: 'note-starts', isOn });
  }

  /** By run: when its order arrived. */
  async starts(): Promise<ReadonlyMap<string, number>> {
    const answer = await this.#ask({ type: 'tell-starts' }, 'starts');
    return new Map(answer.starts);
  }

  async joined(): Promise<readonly Joined[]> {
    return (await this.#ask({ type: 'tell-joined' }, 'joined')).joined;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#send({ type: 'stop' });
    const limit = setTimeout(() => this.#child.kill('SIGKILL'), 5_000);
    await ended;
    clearTimeout(limit);
  }

  async #ask<T extends FleetAnswer['type']>(
    request: FleetRequest,
    type: T,
  ): Promise<Extract<FleetAnswer, { type: T }>> {
    this.#send(request);
    for (;;) {
      const [answer] = (await once(this.#child, 'message')) as [FleetAnswer];
      if (answer.type === type) return answer as Extract<FleetAnswer, { type: T }>;
    }
  }

  #send(request: FleetRequest): void {
    if (this.#child.connected) this.#child.send(request);
  }
}
