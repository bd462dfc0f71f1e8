import { type ChildProcess, execFile } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { killGroup, spawnTied } from '@understudy/shared/runtime/child';
import { childrenOf } from '../../drill/victims.ts';
import { freePort } from '../../postgres/port.ts';
import type { Target } from '../prober.ts';
import { endGroup } from './end-group.ts';
import {
  missingProgram,
  type Rival,
  type RivalFault,
  type RivalPair,
  SERVER,
  until,
  whoAnswers,
} from './rival.ts';

const LOCK = 'bench';

/** `etcdctl lock`: whoever holds a lock in etcd runs the server; the other one waits for the lock. */
export function etcdLock(ttlS: number): Rival {
  return {
    name: `etcd-lock-${ttlS}`,
    title: `etcdctl lock --ttl ${ttlS}`,
    missing: () => missingProgram('etcd', 'etcdctl'),
    start: async (folder) => {
      const endpoint = `http://127.0.0.1:${await freePort()}`;
      const peers = `http://127.0.0.1:${await freePort()}`;
      const etcd = startEtcd(folder, endpoint, peers);
      const targets = [await freePort(), await freePort()].map((port) => ({
        ...{ host: '127.0.0.1', port },
      }));
      const pair = new EtcdPair({ folder, endpoint, etcd, ttlS, targets });
      pair.start();
      return pair;
    },
  };
}

interface EtcdOptions {
  readonly folder: string;
  readonly endpoint: string;
  readonly etcd: ChildProcess;
  readonly ttlS: number;
  readonly targets: readonly Target[];
}

class EtcdPair implements RivalPair {
  readonly targets: readonly Target[];
  readonly #options: EtcdOptions;
  /** Each in the place of its target. */
  readonly #contenders: (ChildProcess | null)[] = [];

  constructor(options: EtcdOptions) {
    this.targets = options.targets;
    this.#options = options;
  }

  start(): void {
    this.targets.forEach((_, index) => {
      this.#contend(index);
    });
  }

  whole(): Promise<string> {
    return until('one holds the lock of etcd, one waits for it', async () => {
      const [answers, waiting] = await Promise.all([
        Promise.all(this.targets.map(whoAnswers)),
        this.#waiting(),
      ]);
      return waiting < 2 ? null : (answers.find((name) => name !== null) ?? null);
    });
  }

  strike(fault: RivalFault, host: string): void {
    const pid = this.#contenders[Number(host)]?.pid;
    if (pid === undefined) return;
    if (fault === 'host-loss') killGroup(pid, 'SIGKILL');
    // The server alone: its etcdctl sees the end and gives the lock back.
    else for (const server of childrenOf(pid)) process.kill(server, 'SIGKILL');
  }

  async mend(host: string): Promise<void> {
    await endGroup(this.#contenders[Number(host)] ?? null);
    this.#contend(Number(host));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#contenders.map(endGroup));
    await endGroup(this.#options.etcd);
  }

  #contend(index: number): void {
    const { folder, endpoint, ttlS } = this.#options;
    const server = [process.execPath, SERVER, '127.0.0.1', `${this.targets[index]?.port}`];
    const lock = ['etcdctl', `--endpoints=${endpoint}`, 'lock', `--ttl=${ttlS}`, LOCK];
    this.#contenders[index] = startLogged(
      [...lock, ...server, `${index}`],
      join(folder, 'lock.log'),
    );
  }

  /** How many hold the lock or wait for it. */
  async #waiting(): Promise<number> {
    const args = [`--endpoints=${this.#options.endpoint}`, 'get', '--prefix', '--keys-only', LOCK];
    try {
      const { stdout } = await promisify(execFile)('etcdctl', args, { env: environment() });
      return stdout.split('\n').filter(Boolean).length;
    } catch {
      // etcd has not begun to answer.
      return 0;
    }
  }
}

function startEtcd(folder: string, endpoint: string, peers: string): ChildProcess {
  const flags = {
    'data-dir': join(folder, 'etcd'),
    'listen-client-urls': endpoint,
    'advertise-client-urls': endpoint,
    'listen-peer-urls': peers,
    'initial-advertise-peer-urls': peers,
    'initial-cluster': `default=${peers}`,
  };
  const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  return startLogged(['etcd', ...args], join(folder, 'etcd.log'));
}

function startLogged(command: readonly string[], logFile: string): ChildProcess {
  const log = openSync(logFile, 'a');
  const child = spawnTied(command, { env: environment(), stdio: ['ignore', log, log] });
  closeSync(log);
  return child;
}

/** Nothing of our environment may change what etcd does. */
function environment(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], ETCDCTL_API: '3' };
}
