import type { ChildProcess } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { killGroup, spawnTied } from '@understudy/shared/runtime/child';
import { HostNetwork } from '../../hosts/network.ts';
import type { NetworkHost } from '../../hosts/network-host.ts';
import { Undoings } from '../../hosts/undoings.ts';
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

const HOSTS = ['a', 'b'];
const PORT = 8080;
/** The shortest that keepalived knows: whole seconds. */
const CHECK_EVERY_S = 1;
const PID_FILES = ['pid', 'vrrp_pid', 'checkers_pid'] as const;

/** keepalived: a virtual address that moves between two servers, which a script looks at. */
export function keepalived(advertIntervalS: number): Rival {
  return {
    name: `keepalived-${advertIntervalS}`,
    title: `keepalived, advert_int ${advertIntervalS}`,
    missing: () => {
      if (process.getuid?.() !== 0) return 'network namespaces need root';
      return missingProgram('keepalived', 'ip');
    },
    start: async (folder) => {
      const undoings = new Undoings();
      try {
        const network = HostNetwork.make(undoings, [...HOSTS, 'client']);
        return new KeepalivedPair(network, { folder, advertIntervalS, undoings });
      } catch (error) {
        await undoings.undo();
        throw error;
      }
    },
  };
}

interface PairOptions {
  readonly folder: string;
  readonly advertIntervalS: number;
  readonly undoings: Undoings;
}

class KeepalivedPair implements RivalPair {
  readonly targets;
  readonly client: NetworkHost;
  readonly #hosts: readonly KeepalivedHost[];
  readonly #undoings: Undoings;

  constructor(network: HostNetwork, { folder, advertIntervalS, undoings }: PairOptions) {
    const [virtual = ''] = network.free(2).split('/', 1);
    this.targets = [{ host: virtual, port: PORT }];
    this.client = network.host('client');
    this.#undoings = undoings;
    this.#hosts = HOSTS.map(
      (name, index) =>
        new KeepalivedHost(network.host(name), {
          ...{ folder: join(folder, name), virtual, advertIntervalS },
          // The highest there are: the lower they are, the longer a backup waits.
          priority: 254 - index,
        }),
    );
    for (const host of this.#hosts) {
      undoings.teardown(() => host.stop());
      host.start();
    }
  }

  whole(): Promise<string> {
    return until('keepalived has a master and a backup', async () => {
      const states = this.#hosts.map((host) => host.state());
      if (!states.includes('MASTER') || !states.includes('BACKUP')) return null;
      const answers = await Promise.all(this.#hosts.map(({ own }) => whoAnswers(own)));
      if (answers.includes(null)) return null;
      const [virtual] = this.targets;
      return virtual === undefined ? null : whoAnswers(virtual);
    });
  }

  strike(fault: RivalFault, host: string): void {
    for (const each of this.#hosts) if (each.name === host) each.strike(fault);
  }

  async mend(host: string): Promise<void> {
    for (const each of this.#hosts) if (each.name === host) await each.mend();
  }

  async stop(): Promise<void> {
    await this.#undoings.undo();
  }
}

interface HostOptions {
  readonly folder: string;
  readonly virtual: string;
  readonly advertIntervalS: number;
  readonly priority: number;
}

class KeepalivedHost {
  readonly name: string;
  readonly own;
  readonly #host: NetworkHost;
  readonly #options: HostOptions;
  #server: ChildProcess | null = null;
  #daemon: ChildProcess | null = null;

  constructor(host: NetworkHost, options: HostOptions) {
    this.name = host.name;
    this.own = { host: host.ip, port: PORT };
    this.#host = host;
    this.#options = options;
    mkdirSync(options.folder, { recursive: true });
    const check = this.#file('check.sh');
    writeFileSync(check, `#!/bin/bash\nexec 3<>/dev/tcp/127.0.0.1/${PORT}\n`);
    chmodSync(check, 0o755);
    writeFileSync(this.#file('keepalived.conf'), configFor(host.name, check, options));
  }

  /** What keepalived said last of its own state. */
  state(): string | null {
    const said = readFileSync(this.#file('keepalived.log'), 'utf8');
    return [...said.matchAll(/Entering (\w+) STATE/g)].at(-1)?.[1] ?? null;
  }

  start(): void {
    if (this.#server === null) {
      const command = [process.execPath, SERVER, '0.0.0.0', `${PORT}`, this.name];
      this.#server = spawnTied([...this.#host.prefix, ...command], { stdio: ['ignore'] });
    }
    if (this.#daemon !== null) return;
    const log = openSync(this.#file('keepalived.log'), 'w');
    const pids = PID_FILES.map((flag) => `--${flag}=${this.#file(flag)}`);
    // Those of a daemon that was killed name a process that may be a zombie, which keepalived takes for a living one.
    for (const file of PID_FILES) rmSync(this.#file(file), { force: true });
    const flags = ['--dont-fork', '--log-console', '--vrrp', ...pids];
    this.#daemon = spawnTied(
      [...this.#host.prefix, 'keepalived', ...flags, `--use-file=${this.#file('keepalived.conf')}`],
      { stdio: ['ignore', log, log] },
    );
    closeSync(log);
  }

  strike(fault: RivalFault): void {
    if (fault === 'host-loss') {
      this.#host.setPlugged(false);
      if (this.#daemon?.pid !== undefined) killGroup(this.#daemon.pid, 'SIGKILL');
    }
    if (this.#server?.pid !== undefined) killGroup(this.#server.pid, 'SIGKILL');
  }

  async mend(): Promise<void> {
    await this.#reap();
    // Unlike `del`, `flush` does not mind when somebody was faster.
    this.#host.run('ip', 'addr', 'flush', 'dev', 'eth0', 'to', `${this.#options.virtual}/32`);
    this.#host.setPlugged(true);
    this.start();
  }

  async stop(): Promise<void> {
    await Promise.all([endGroup(this.#server), endGroup(this.#daemon)]);
  }

  /** Forgets what has been killed. */
  async #reap(): Promise<void> {
    const wasLost = this.#daemon?.signalCode != null;
    await endGroup(this.#server);
    this.#server = null;
    if (!wasLost) return;
    await endGroup(this.#daemon);
    this.#daemon = null;
  }

  #file(name: string): string {
    return join(this.#options.folder, name);
  }
}

function configFor(name: string, check: string, options: HostOptions): string {
  // Version 2, the default, knows whole seconds only.
  const version = options.advertIntervalS < 1 ? 3 : 2;
  return `global_defs {
  router_id ${name}
  vrrp_version ${version}
  script_user root
}
vrrp_script server {
  script ${check}
  interval ${CHECK_EVERY_S}
  timeout 1
  fall 1
  rise 1
}
vrrp_instance pair {
  state BACKUP
  interface eth0
  virtual_router_id 77
  priority ${options.priority}
  advert_int ${options.advertIntervalS}
  nopreempt
  virtual_ipaddress {
    ${options.virtual}/24
  }
  track_script {
    server
  }
}
`;
}
