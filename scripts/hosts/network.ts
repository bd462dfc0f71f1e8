import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { processId, spawnTied } from '@understudy/shared/runtime/child';

import { NetworkHost } from './network-host.ts';
import type { OtherEnd } from './packet-filter.ts';
import { run } from './run.ts';

/** Whose a network is. What is to be undone at his end, in reverse, is left with him. */
export interface NetworkOwner {
  teardown(undo: () => unknown): void;
}

/** Of the addresses that are set aside for benchmarks (RFC 2544), and of the private ones of IPv6 (RFC 4193). */
const NET = '198.18';
const NET6 = 'fd75:6e64';
/** Of the routes through a second cable. */
const TABLE = '100';

/**
 * Hosts of a test or a benchmark in network namespaces of their own, each with one interface, `eth0`, on a switch (a
 * bridge in a namespace of its own), to which this process is connected too. The names are random; everything is
 * removed with its owner, and what one that was killed has left is removed by the next. Needs root.
 */
export class HostNetwork {
  readonly hosts: readonly NetworkHost[];
  /** Of this process in that network; the database is reached here. */
  readonly own: string;
  readonly #key: string;
  readonly #subnet: number;
  readonly #anchors: ChildProcess[] = [];

  private constructor(key: string, subnet: number, names: readonly string[]) {
    this.#key = key;
    this.#subnet = subnet;
    this.own = `${NET}.${subnet}.1`;
    this.#addSwitch();
    this.hosts = names.map((name, index) => this.#addHost(name, 11 + index));
  }

  /** Hosts of these names, which are short: at most 12 letters. */
  static make(owner: NetworkOwner, names: readonly string[]): HostNetwork {
    removeLeftOvers();
    const key = `${process.pid}-${randomBytes(3).toString('hex')}`;
    owner.teardown(() => removeNamespaces(key));
    const network = new HostNetwork(key, freeSubnet(), names);
    owner.teardown(() => network.#endAnchors());
    return network;
  }

  host(name: string): NetworkHost {
    const host = this.hosts.find((each) => each.name === name);
    if (host === undefined) throw new Error(`there is no host ${name}`);
    return host;
  }

  /** An address that nobody has, with the length of its prefix: 10 to 19 are not given to hosts. */
  free(number: 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9): string {
    return `${NET}.${this.#subnet}.${number}/24`;
  }

  /** The same of IPv6. */
  free6(number: 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9): string {
    return `${this.#net6}::${number}/64`;
  }

  /** The whole network, as an address with the length of its prefix. */
  get range(): string {
    return `${NET}.${this.#subnet}.0/24`;
  }

  /** Runs a command on the switch, through which everything passes. */
  onSwitch(...command: readonly string[]): void {
    run('ip', 'netns', 'exec', this.#namespaceOf('switch'), ...command);
  }

  get #net6(): string {
    return `${NET6}:${this.#subnet.toString(16)}`;
  }

  #addSwitch(): void {
    const [namespace, ours] = [this.#namespaceOf('switch'), this.#ownInterface];
    run('ip', 'netns', 'add', namespace);
    run('ip', '-n', namespace, 'link', 'add', 'bridge', 'type', 'bridge');
    run('ip', '-n', namespace, 'link', 'set', 'bridge', 'up');
    run('ip', 'link', 'add', ours, 'type', 'veth', 'peer', 'name', 'tests', 'netns', namespace);
    run('ip', '-n', namespace, 'link', 'set', 'tests', 'master', 'bridge', 'up');
    run('ip', 'addr', 'add', `${this.own}/24`, 'dev', ours);
    run('ip', 'addr', 'add', `${this.#net6}::1/64`, 'dev', ours, 'nodad');
    run('ip', 'link', 'set', ours, 'up');
  }

  #addHost(name: string, number: number): NetworkHost {
    const [namespace, hub] = [this.#namespaceOf(name), this.#namespaceOf('switch')];
    const [ip, ip6] = [`${NET}.${this.#subnet}.${number}`, `${this.#net6}::${number}`];
    run('ip', 'netns', 'add', namespace);
    const ends = ['type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace];
    // Not the name alone: `ip` may take that for a word of its own.
    const port = `to-${name}`;
    run('ip', '-n', hub, 'link', 'add', port, ...ends);
    run('ip', '-n', hub, 'link', 'set', port, 'master', 'bridge', 'up');
    run('ip', '-n', namespace, 'addr', 'add', `${ip}/24`, 'dev', 'eth0');
    run('ip', '-n', namespace, 'addr', 'add', `${ip6}/64`, 'dev', 'eth0', 'nodad');
    for (const device of ['lo', 'eth0']) run('ip', '-n', namespace, 'link', 'set', device, 'up');
    const prefix = ['ip', 'netns', 'exec', namespace];
    const anchor = spawnTied([...prefix, 'sleep', 'infinity'], { stdio: ['ignore'] });
    this.#anchors.push(anchor);
    const setPlugged = (isPlugged: boolean) => {
      run('ip', '-n', hub, 'link', 'set', port, isPlugged ? 'up' : 'down');
    };
    const narrow = (to: Required<OtherEnd>, bitsPerSecond: number) => {
      const other = `more-${name}`;
      run(
        'ip',
        '-n',
        hub,
        'link',
        'add',
        other,
        'type',
        'veth',
        'peer',
        'name',
        'eth1',
        'netns',
        namespace,
      );
      run('ip', '-n', hub, 'link', 'set', other, 'master', 'bridge', 'up');
      run('ip', '-n', namespace, 'link', 'set', 'eth1', 'up');
      // Two full packets pass at once; what would wait for longer than this is dropped.
      const bucket = ['rate', `${bitsPerSecond}bit`, 'burst', '3000', 'latency', '400ms'];
      run('tc', '-n', namespace, 'qdisc', 'add', 'dev', 'eth1', 'root', 'tbf', ...bucket);
      run('ip', '-n', namespace, 'route', 'add', to.ip, 'dev', 'eth1', 'src', ip, 'table', TABLE);
      const rule = ['to', to.ip, 'ipproto', 'tcp', 'dport', `${to.port}`, 'lookup', TABLE];
      run('ip', '-n', namespace, 'rule', 'add', ...rule);
      let isThere = true;
      return () => {
        if (!isThere) return;
        isThere = false;
        run('ip', '-n', namespace, 'rule', 'del', ...rule);
        run('ip', '-n', namespace, 'link', 'del', 'eth1');
      };
    };
    return new NetworkHost({ name, ip, ip6, prefix, pid: anchor.pid ?? 0, setPlugged, narrow });
  }

  #endAnchors(): void {
    for (const anchor of this.#anchors) anchor.kill('SIGKILL');
  }

  #namespaceOf(name: string): string {
    return `${PREFIX}${this.#key}-${name}`;
  }

  /** At most 15 letters. */
  get #ownInterface(): string {
    return `us${this.#key.split('-')[1]}`;
  }
}

/** Namespaces are named after the process that they belong to. */
const PREFIX = 'understudy-test-';

/** The interface that leads from here to the switch goes with the switch. */
function removeNamespaces(key: string): void {
  for (const name of namespaces()) if (name.startsWith(`${PREFIX}${key}-`)) remove(name);
}

/** Of what is left over several may take themselves to be the next. */
function remove(name: string): void {
  try {
    run('ip', 'netns', 'del', name);
  } catch (error) {
    if (namespaces().includes(name)) throw error;
  }
}

function removeLeftOvers(): void {
  for (const name of namespaces()) {
    const [pid, random] = name.startsWith(PREFIX) ? name.slice(PREFIX.length).split('-') : [];
    if (pid !== undefined && processId(Number(pid)) === null) removeNamespaces(`${pid}-${random}`);
  }
}

function namespaces(): string[] {
  try {
    return readdirSync('/run/netns');
  } catch {
    // There was none on this machine yet.
    return [];
  }
}

/** A number of which nobody of this machine has a network. */
function freeSubnet(): number {
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  const routes = readFileSync('/proc/net/route', 'utf8');
  for (let tries = 0; tries < 100; tries++) {
    const subnet = randomBytes(1).readUInt8();
    const isOurs = addresses.some(({ address }) => address.startsWith(`${NET}.${subnet}.`));
    // As that file has it: the bytes of 198.18.N.0 in reverse.
    const route = `00${subnet.toString(16).padStart(2, '0').toUpperCase()}12C6`;
    if (!isOurs && !routes.includes(route)) return subnet;
  }
  throw new Error(`no network of ${NET}.0.0/16 is free`);
}
