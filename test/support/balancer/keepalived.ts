import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NetworkHost } from '@understudy/scripts/hosts/network-host';
import { spawnTied } from '@understudy/shared/runtime/child';
import { eventually } from '../cluster/eventually.ts';
import type { Owner } from '../cluster/owner.ts';
import { signal } from '../cluster/proc.ts';
import type { Cluster } from '../cluster.ts';

const PID_FILES = ['pid', 'vrrp_pid', 'checkers_pid'] as const;

/** keepalived on one host, with the configuration that `understudy install lb keepalived` writes for it. */
export class Keepalived {
  readonly #log: string;
  readonly #child: ChildProcess;

  private constructor(log: string, child: ChildProcess) {
    this.#log = log;
    this.#child = child;
  }

  static async start(
    owner: Owner,
    cluster: Cluster,
    host: NetworkHost,
    vip: string,
  ): Promise<Keepalived> {
    const args = ['install', 'lb', 'keepalived', '--vip', vip, '--interface', 'eth0'];
    const { code, stdout, stderr } = await cluster.command(args, host.name);
    if (code !== 0) throw new Error(`install lb keepalived: exit ${code}\n${stderr}`);
    const folder = join(cluster.facts.folder, `keepalived-${host.name}`);
    mkdirSync(folder);
    const file = join(folder, 'keepalived.conf');
    writeFileSync(file, stdout);
    const log = join(folder, 'log');
    const out = openSync(log, 'a');
    const pids = PID_FILES.map((name) => `--${name}=${join(folder, name)}`);
    const flags = ['--dont-fork', '--log-console', '--vrrp', ...pids, `--use-file=${file}`];
    const child = spawnTied([...host.prefix, 'keepalived', ...flags], {
      stdio: ['ignore', out, out],
    });
    closeSync(out);
    const keepalived = new Keepalived(log, child);
    owner.teardown(() => keepalived.stop());
    // Before, a signal to read its configuration again would end it.
    await eventually(() => (keepalived.said.includes('Startup complete') ? true : null), {
      what: `keepalived to start on ${host.name}`,
    });
    return keepalived;
  }

  /** What it has said so far. */
  get said(): string {
    return readFileSync(this.#log, 'utf8');
  }

  /** It reads its configuration again, and forgets what it knew. */
  reload(): void {
    if (this.#child.pid !== undefined) signal(this.#child.pid, 'SIGHUP');
  }

  /** As it is asked to end: it takes the address away. */
  async stop(): Promise<void> {
    const { pid, exitCode, signalCode } = this.#child;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    signal(pid, 'SIGTERM');
    await ended;
  }
}
