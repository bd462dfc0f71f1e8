import { readFileSync } from 'node:fs';
import type { OtherEnd } from './packet-filter.ts';
import { run } from './run.ts';

export interface NetworkHostOptions {
  readonly name: string;
  readonly ip: string;
  readonly ip6: string;
  readonly prefix: readonly string[];
  readonly pid: number;
  readonly setPlugged: (isPlugged: boolean) => void;
  readonly narrow: (to: Required<OtherEnd>, bitsPerSecond: number) => () => void;
}

/** A host in a network namespace of its own, with one interface, `eth0`. */
export class NetworkHost {
  readonly name: string;
  readonly ip: string;
  readonly ip6: string;
  /** Put before a command, makes it run on this host. */
  readonly prefix: readonly string[];
  /** Pulls the plug of its interface at the switch, or puts it in again. */
  readonly setPlugged: (isPlugged: boolean) => void;
  /**
   * What this host sends to a port of somebody goes through another cable from now on, which takes so much and no more, in one
   * queue; what is returned ends that.
   */
  readonly narrow: (to: Required<OtherEnd>, bitsPerSecond: number) => () => void;
  /** Of a process that lives here as long as the network: through it the kernel shows this host's addresses. */
  readonly #pid: number;

  constructor(options: NetworkHostOptions) {
    this.name = options.name;
    this.ip = options.ip;
    this.ip6 = options.ip6;
    this.prefix = options.prefix;
    this.setPlugged = options.setPlugged;
    this.narrow = options.narrow;
    this.#pid = options.pid;
  }

  /** Runs a command here to its end, and gives what it says. */
  run(...command: readonly string[]): string {
    const [program = '', ...args] = [...this.prefix, ...command];
    return run(program, ...args);
  }

  /** Every address of this host, of IPv4 as it is written, of IPv6 with all its digits. Starts no process. */
  addresses(): ReadonlySet<string> {
    const tree = readFileSync(`/proc/${this.#pid}/net/fib_trie`, 'utf8');
    const list6 = readFileSync(`/proc/${this.#pid}/net/if_inet6`, 'utf8');
    return new Set([
      ...Array.from(tree.matchAll(LOCAL), ([, address = '']) => address),
      ...Array.from(list6.matchAll(FIRST_WORD), ([digits]) => digits),
    ]);
  }
}

/** A leaf of the tree of routes that stands for an address of this host's own. */
const LOCAL = /\|-- (\S+)\n\s+\/32 host LOCAL/g;
const FIRST_WORD = /^[0-9a-f]{32}/gm;

/** An address as `NetworkHost.addresses` has it; the length of a prefix is left out. */
export function asListed(address: string): string {
  const [plain = ''] = address.split('/');
  if (!plain.includes(':')) return plain;
  const [head = '', tail = ''] = plain.split('::');
  const groups = (part: string) => part.split(':').filter(Boolean);
  const missing = 8 - groups(head).length - groups(tail).length;
  return [...groups(head), ...Array<string>(missing).fill('0'), ...groups(tail)]
    .map((group) => group.padStart(4, '0'))
    .join('');
}
