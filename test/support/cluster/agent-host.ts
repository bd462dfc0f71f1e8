import { type Program, startProgram } from './program.ts';

export interface AgentHostOptions {
  readonly agent: string;
  readonly config: string;
  readonly log: string;
  readonly environment: NodeJS.ProcessEnv;
  /** Put before a command, makes it run on this host. */
  readonly prefix: readonly string[];
}

/** A worker host of a test: its agent as a real process. */
export class AgentHost {
  readonly options: AgentHostOptions;
  #program: Program | null = null;

  constructor(options: AgentHostOptions) {
    this.options = options;
  }

  get program(): Program {
    if (this.#program === null) throw new Error(`agent ${this.options.agent} was not started`);
    return this.#program;
  }

  start(): void {
    const { config, log, environment, prefix } = this.options;
    this.#program = startProgram(['agent', '--config', config], { log, environment, prefix });
  }

  /** Ends it at once, worker and all: the kernel is to end what is tied to it. */
  async kill(): Promise<void> {
    this.program.signal('SIGKILL');
    await this.program.ended;
  }
}
