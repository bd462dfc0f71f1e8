import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { spawnTied } from '@understudy/shared/runtime/child';
import { eventually } from '../cluster/eventually.ts';
import type { Owner } from '../cluster/owner.ts';
import { takePort } from '../cluster/ports.ts';
import { signal } from '../cluster/proc.ts';
import type { Cluster } from '../cluster.ts';

export interface BalancerOptions {
  /** Further arguments of `understudy install lb ...`. */
  readonly more?: readonly string[];
  /** What a test changes in what was written. */
  readonly change?: (text: string) => string;
}

interface Kind {
  readonly name: string;
  /** What a program of a test can't do: run as somebody else, for it would not end with the test any more. */
  readonly adapt: (text: string) => string;
  readonly command: (file: string, folder: string) => readonly string[];
}

const haproxy: Kind = {
  name: 'haproxy',
  adapt: (text) => text.replaceAll(/^ {4}(?:user|group) haproxy$/gm, ''),
  command: (file) => ['haproxy', '-db', '-f', file],
};

const nginx: Kind = {
  name: 'nginx',
  adapt: (text) => text,
  command: (file, folder) => {
    const settings = ['daemon off', 'master_process off', `pid ${join(folder, 'nginx.pid')}`];
    return ['nginx', '-e', 'stderr', '-c', file, '-g', settings.map((each) => `${each};`).join('')];
  },
};

/** HAProxy before a cluster, with the configuration that `understudy install lb haproxy` writes for it. */
export function startHaproxy(owner: Owner, cluster: Cluster, options: BalancerOptions = {}) {
  return Balancer.start(owner, cluster, haproxy, options);
}

/** The same with nginx. */
export function startNginx(owner: Owner, cluster: Cluster, options: BalancerOptions = {}) {
  return Balancer.start(owner, cluster, nginx, options);
}

/** A load balancer as a real process on a port of loopback. It ends with the test. */
export class Balancer {
  readonly port: number;
  readonly log: string;
  readonly #command: readonly string[];
  #process: ChildProcess | null = null;

  private constructor(port: number, log: string, command: readonly string[]) {
    this.port = port;
    this.log = log;
    this.#command = command;
  }

  static async start(
    owner: Owner,
    cluster: Cluster,
    kind: Kind,
    { more = [], change = (text) => text }: BalancerOptions,
  ): Promise<Balancer> {
    const port = await takePort();
    const { folder } = cluster.facts;
    const listen = ['--listen', `127.0.0.1:${port}`];
    const { code, stdout, stderr } = await cluster.command([
      ...['install', 'lb', kind.name, ...listen],
      ...more,
    ]);
    if (code !== 0) throw new Error(`install lb ${kind.name}: exit ${code}\n${stderr}`);
    const file = join(folder, `${kind.name}-${port}.cfg`);
    writeFileSync(file, change(kind.adapt(stdout)));
    const log = join(folder, `${kind.name}-${port}.log`);
    const balancer = new Balancer(port, log, kind.command(file, folder));
    owner.teardown(() => balancer.stop());
    await balancer.start();
    return balancer;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** What it has said so far. */
  get said(): string {
    return readFileSync(this.log, 'utf8');
  }

  /** Starts it, and waits until its port is open. */
  async start(): Promise<void> {
    const log = openSync(this.log, 'a');
    // Debian keeps such programs where only root looks.
    const env = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` };
    const child = spawnTied(this.#command, { env, stdio: ['ignore', log, log] });
    closeSync(log);
    this.#process = child;
    await eventually(
      async () => {
        if (child.exitCode !== null)
          throw new Error(`it ended with ${child.exitCode}: ${this.said}`);
        return (await isOpen(this.port)) ? true : null;
      },
      { what: `${this.#command.join(' ')} to listen` },
    );
  }

  async stop(): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    signal(child.pid, 'SIGKILL');
    await ended;
  }
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
