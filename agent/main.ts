/**
 * The agent of a worker host: the process `understudy agent`. It finds the active controller, runs the
 * worker as its child and tells it whom to follow. When no controller is found for so many rounds, it
 * lets what runs finish or ends it, as configured, then the worker, then itself.
 */
import { randomUUID } from 'node:crypto';
import { systemClock } from '@understudy/shared/runtime/clock';
import type { AgentConfig } from '@understudy/shared/runtime/config/types';
import { exitCodes, UserError } from '@understudy/shared/runtime/errors';
import { type Log, makeLog } from '@understudy/shared/runtime/log';
import { NodeAgent } from '@understudy/shared/runtime/tls/connect';
import { Credentials } from '@understudy/shared/runtime/tls/credentials';
import { certificateProblems } from '@understudy/shared/runtime/tls/problems';
import { watchCredentials } from '@understudy/shared/runtime/tls/watch';
import { version } from '@understudy/shared/runtime/version';
import { Cgroup, cgroupPathHere } from './executor/cgroup.ts';
import { endMarked } from './executor/leftovers.ts';
import type { Search } from './follow/follow.ts';
import { type DataFolder, openDataFolder } from './spool/folder.ts';
import { takeLock } from './spool/lock.ts';
import { readTerm, writeTerm } from './spool/term-file.ts';
import { askControllers, askOnce } from './supervise/ask.ts';
import { BuiltInWorker } from './supervise/built-in-worker.ts';
import { Follower } from './supervise/follower.ts';
import type { WorkerEvents, WorkerPort } from './supervise/port.ts';
import { WrappedWorker } from './supervise/wrapped-worker.ts';

/** Runs the agent until it is stopped or gives up. Resolves to the exit code of the process. */
export async function runAgent(config: AgentConfig): Promise<number> {
  const log = makeLog(config.log, { process: 'agent', agent: config.agent });
  try {
    const secure = await openSecure(config, log);
    const folder = openDataFolder(config.data);
    const unlock = takeLock(folder.lock);
    try {
      return await new AgentLife({ config, folder, secure, log }).run();
    } finally {
      await endLeftovers(config, folder);
      unlock();
    }
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    log.error(error.message);
    return error.exitCode;
  }
}

/** How controllers are reached over TLS; undefined: they are reached in plain HTTP. */
async function openSecure(config: AgentConfig, log: Log): Promise<NodeAgent | undefined> {
  const { pair, agent, tls } = config;
  const { wallMs } = systemClock;
  const self = { pair, kind: 'agent', id: agent } as const;
  const credentials = tls === null ? null : await Credentials.open({ files: tls, self, wallMs });
  for (const { what, problem, advice } of certificateProblems(config, wallMs())) {
    log.warn(`${what}: ${problem}`, { advice });
  }
  if (credentials === null) return undefined;
  watchCredentials({
    ...{ credentials, wallMs },
    tell: ({ level, message, facts }) => log[level](message, facts),
  });
  return new NodeAgent({ credentials, pair });
}

interface AgentParts {
  readonly config: AgentConfig;
  readonly folder: DataFolder;
  readonly secure: NodeAgent | undefined;
  readonly log: Log;
}

/** The worker is dead: nothing of what it started outlives the agent. */
async function endLeftovers({ pair, agent }: AgentConfig, { path }: DataFolder): Promise<void> {
  endMarked({ owner: `${pair}/${agent}/`, data: path });
  const cgroup = cgroupPathHere(path);
  if (cgroup !== null) await Cgroup.remove(cgroup);
}

class AgentLife {
  readonly #config: AgentConfig;
  readonly #folder: DataFolder;
  readonly #secure: NodeAgent | undefined;
  readonly #log: Log;
  readonly #worker: WorkerPort;
  readonly #follower: Follower;
  readonly #over: Promise<number>;
  #end: (exitCode: number) => void = () => undefined;
  #stopping = false;

  constructor({ config, folder, secure, log }: AgentParts) {
    this.#config = config;
    this.#folder = folder;
    this.#secure = secure;
    this.#log = log;
    this.#over = new Promise((resolve) => {
      this.#end = resolve;
    });
    // First what may fail: the worker is looked after from the moment on that there is one.
    this.#follower = this.#makeFollower();
    this.#worker = this.#makeWorker(randomUUID());
  }

  async run(): Promise<number> {
    const onSignal = (signal: NodeJS.Signals): void => this.#signalled(signal);
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
    const { controllers, slots, data } = this.#config;
    this.#log.info('the agent starts', { version, controllers, slots, data });
    this.#worker.start();
    this.#follower.start();
    try {
      return await this.#over;
    } finally {
      this.#follower.close();
      this.#worker.kill();
      process.off('SIGTERM', onSignal);
      process.off('SIGINT', onSignal);
    }
  }

  #makeFollower(): Follower {
    const { controllers, token, retry } = this.#config;
    const { timeoutMs } = retry;
    const common = { controllers, token, timeoutMs, secure: this.#secure };
    return new Follower({
      everyMs: retry.everyMs,
      limit: retry.limit,
      highest: readTerm(this.#folder.term),
      clock: systemClock,
      random: Math.random,
      log: this.#log,
      ask: ({ beyond, next }, signal) => askControllers({ ...common, beyond, next, signal }),
      follow: (target) => this.#worker.follow(target),
      giveUp: (search) => void this.#giveUp(search),
    });
  }

  #makeWorker(incarnation: string): WorkerPort {
    const { pair, agent, token, tls, labels, slots, users, retry, worker } = this.#config;
    const data = this.#folder.path;
    const env = {
      UNDERSTUDY_AGENT_OWNER: `${pair}/${agent}/${incarnation}`,
      UNDERSTUDY_AGENT_DATA: data,
    };
    const common = { env, log: this.#log, clock: systemClock, random: Math.random };
    const events = this.#events();
    if (worker.command.length > 0) {
      endMarked({ owner: `${pair}/${agent}/`, data });
      const { everyMs, timeoutMs } = retry;
      const asking = { token, timeoutMs, secure: this.#secure };
      return new WrappedWorker({
        ...{ ...common, events, everyMs, command: worker.command },
        ask: (url) => askOnce(url, { ...asking, signal: new AbortController().signal }),
        raise: ({ term }) => writeTerm(this.#folder.term, term),
      });
    }
    const requestTimeoutMs = Math.max(retry.timeoutMs, 2_000);
    return new BuiltInWorker({
      ...{ ...common, events },
      config: {
        ...{ pair, agent, incarnation, version, token, tls, labels, slots, data, users },
        requestTimeoutMs,
      },
    });
  }

  #events(): WorkerEvents {
    return {
      onJoined: (term) => this.#follower.joined(term),
      onLost: (loss) => this.#follower.lost(loss),
      onHeard: (term) => this.#follower.heard(term),
      onUnfit: (message, exitCode) => {
        this.#log.error(message);
        this.#end(exitCode);
      },
    };
  }

  async #giveUp(search: Search): Promise<void> {
    const { running } = this.#config.onLost;
    const forMs = Math.round(systemClock.monotonicMs() - search.sinceMs);
    const { rounds, found, reason } = search;
    this.#log.error(`giving up after ${rounds} rounds over all controllers: ${found}`, {
      ...{ rounds, forMs, lostBecause: reason, running },
    });
    this.#follower.close();
    await this.#worker.finish(running);
    if (this.#stopping) return;
    this.#log.info('the agent ends, it has no controller');
    this.#end(exitCodes.gaveUp);
  }

  #signalled(signal: NodeJS.Signals): void {
    if (this.#stopping) {
      this.#log.warn(`${signal} again: the agent ends at once`);
      this.#end(exitCodes.ok);
      return;
    }
    this.#stopping = true;
    void this.#stop(signal);
  }

  async #stop(signal: NodeJS.Signals): Promise<void> {
    this.#log.info(`${signal}: the agent stops; what runs is ended and reported`);
    this.#follower.close();
    await this.#worker.stop();
    this.#log.info('the agent ends, it was stopped');
    this.#end(exitCodes.ok);
  }
}
