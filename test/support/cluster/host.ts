import type { StatusView } from '@understudy/heartbeat/http/status';
import { eventually } from './eventually.ts';
import { signal } from './proc.ts';
import { type CommandResult, type Program, runCommand, startProgram } from './program.ts';
import { fetchFrom } from './web.ts';

export interface HostOptions {
  readonly node: string;
  readonly scheme: 'http' | 'https';
  readonly heartbeatUrl: string;
  readonly controllerUrl: string;
  readonly config: string;
  readonly log: string;
  readonly environment: NodeJS.ProcessEnv;
  /** Put before a command, makes it run on this host. */
  readonly prefix: readonly string[];
}

const ASK_WITHIN_MS = 1_000;

/** A controller host of a test: its heartbeat as a real process, and what may befall it. */
export class Host {
  readonly options: HostOptions;
  #heartbeat: Program | null = null;

  constructor(options: HostOptions) {
    this.options = options;
  }

  get node(): string {
    return this.options.node;
  }

  get heartbeat(): Program {
    if (this.#heartbeat === null) throw new Error(`host ${this.node} was not started`);
    return this.#heartbeat;
  }

  /** Starts the heartbeat, with further arguments of the command. Logs to a file of its own, unless told to log elsewhere. */
  start(log = this.options.log, more: readonly string[] = []): void {
    const { config, environment, prefix } = this.options;
    const command = ['heartbeat', '--config', config, ...more];
    this.#heartbeat = startProgram(command, { log, environment, prefix });
  }

  /** Runs a command of `understudy` here, with this host's configuration. */
  command(args: readonly string[]): Promise<CommandResult> {
    const { config, environment, prefix } = this.options;
    return runCommand([...args, '--config', config], environment, prefix);
  }

  /** What `GET /status` answers now; null when nothing does. */
  async status(): Promise<StatusView | null> {
    try {
      const url = `${this.options.heartbeatUrl}/status`;
      const response = await fetchFrom(url, { signal: AbortSignal.timeout(ASK_WITHIN_MS) });
      return response.status === 200 ? (JSON.parse(response.text) as StatusView) : null;
    } catch {
      return null;
    }
  }

  /** Waits until this host says of itself what is asked for. */
  until(what: string, holds: (status: StatusView) => boolean): Promise<StatusView> {
    return eventually(
      async () => {
        const status = await this.status();
        return status !== null && holds(status) ? status : null;
      },
      { what: `${this.node} ${what}` },
    );
  }

  /** The controller that runs here now. */
  async controllerPid(): Promise<number> {
    const status = await this.until('to have a controller', (view) => view.controller.pid !== null);
    return status.controller.pid ?? 0;
  }

  /** Ends the heartbeat at once; the kernel is to end the controller with it. */
  async killHeartbeat(): Promise<void> {
    this.heartbeat.signal('SIGKILL');
    await this.heartbeat.ended;
  }

  /** Asks the heartbeat to stop, and gives its exit code. */
  async stop(): Promise<number | NodeJS.Signals> {
    this.heartbeat.signal('SIGTERM');
    return await this.heartbeat.ended;
  }

  /** Signals the heartbeat and all of its controller's group, as when the whole host freezes. */
  signalAll(name: NodeJS.Signals, controllerPid: number): void {
    signal(this.heartbeat.pid, name);
    signal(-controllerPid, name);
  }
}
