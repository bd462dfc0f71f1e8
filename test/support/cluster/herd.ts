import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import type { FakeAgentOptions } from './fake-agent.ts';

export interface HerdOptions extends Omit<FakeAgentOptions, 'name'> {
  readonly count: number;
  readonly environment: NodeJS.ProcessEnv;
}

/** What the process of the agents says, now and then. */
export interface HerdReport {
  /** Whom each agent follows, and since when (monotonic nanoseconds). */
  readonly joined: readonly (readonly [node: string, at: string] | null)[];
  readonly gaveUp: number;
}

/** Hundreds of agents in one process of their own, so that they don't slow down whoever measures. */
export class Herd {
  readonly #child: ChildProcess;
  #last: HerdReport = { joined: [], gaveUp: 0 };

  constructor({ environment, ...options }: HerdOptions) {
    const program = join(import.meta.dirname, 'herd-process.js');
    this.#child = fork(program, [JSON.stringify(options)], { env: environment });
    this.#child.on('message', (report: HerdReport) => {
      this.#last = report;
    });
  }

  /** Waits until all follow this node; gives when each of them began to. */
  async allFollow(node: string): Promise<readonly bigint[]> {
    const found = await eventually(
      () => {
        const { joined, gaveUp } = this.#last;
        if (gaveUp > 0) throw new Error(`${gaveUp} agents gave up`);
        const all = joined.flatMap((each) => (each?.[0] === node ? [BigInt(each[1])] : []));
        return all.length > 0 && all.length === joined.length ? all : null;
      },
      { what: `all agents to follow ${node}` },
    );
    return found;
  }

  end(): void {
    this.#child.kill('SIGKILL');
  }
}
