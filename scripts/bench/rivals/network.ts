import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { processId } from '@understudy/shared/runtime/child';

/** A host in a network namespace of its own, with one interface, `eth0`, on a common bridge. */
export interface NetworkHost {
  readonly name: string;
  readonly address: string;
  /** Put before a command, makes it run on this host. */
  readonly prefix: readonly string[];
  /** Pulls the plug of its interface, or puts it in again. */
  setPlugged(isPlugged: boolean): void;
  /** Removes an address that somebody has put on its interface. */
  removeAddress(address: string): void;
}

export interface Network {
  readonly hosts: readonly NetworkHost[];
  /** An address of the same network that nobody has. */
  readonly free: string;
  remove(): void;
}

/** Of the addresses that are set aside for benchmarks (RFC 2544). */
const NET = '198.18.77';

/**
 * Two hosts on a bridge with this process's own network, to be removed again. What a benchmark that was
 * killed has left behind is removed first.
 */
export function makeNetwork(): Network {
  removeLeftOvers();
  const own = namesOf(process.pid);
  const hosts: NetworkHost[] = [];
  try {
    ip('link', 'add', own.bridge, 'type', 'bridge');
    ip('addr', 'add', `${NET}.1/24`, 'dev', own.bridge);
    ip('link', 'set', own.bridge, 'up');
    for (const [index, name] of ['a', 'b'].entries()) {
      hosts.push(addHost(name, `${NET}.${11 + index}`));
    }
  } catch (error) {
    removeAll(process.pid);
    throw error;
  }
  return { hosts, free: `${NET}.10`, remove: () => removeAll(process.pid) };
}

function addHost(name: string, address: string): NetworkHost {
  const { bridge, namespaceOf, portOf } = namesOf(process.pid);
  const [namespace, port] = [namespaceOf(name), portOf(name)];
  ip('netns', 'add', namespace);
  ip('link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace);
  ip('link', 'set', port, 'master', bridge, 'up');
  ip('-n', namespace, 'addr', 'add', `${address}/24`, 'dev', 'eth0');
  for (const device of ['lo', 'eth0']) ip('-n', namespace, 'link', 'set', device, 'up');
  return {
    ...{ name, address },
    prefix: ['ip', 'netns', 'exec', namespace],
    setPlugged: (isPlugged) => ip('link', 'set', port, isPlugged ? 'up' : 'down'),
    // Unlike `del`, `flush` does not mind when somebody was faster.
    removeAddress: (each) =>
      ip('-n', namespace, 'addr', 'flush', 'dev', 'eth0', 'to', `${each}/32`),
  };
}

/** All names carry the pid of the benchmark that they belong to. Interfaces have at most 15 letters. */
function namesOf(pid: number) {
  return {
    bridge: `us${pid}br`,
    portOf: (host: string) => `us${pid}${host}`,
    namespaceOf: (host: string) => `understudy-bench-${pid}-${host}`,
  };
}

function removeLeftOvers(): void {
  const names = [...namespaces(), ...readdirSync('/sys/class/net')];
  for (const name of names) {
    const pid = /^(?:understudy-bench-|us)(\d+)(?:-[ab]|br|a|b)$/.exec(name)?.[1];
    if (pid !== undefined && processId(Number(pid)) === null) removeAll(Number(pid));
  }
}

function removeAll(pid: number): void {
  const { bridge, namespaceOf, portOf } = namesOf(pid);
  const found = [...namespaces(), ...readdirSync('/sys/class/net')];
  // A veth ends with either of its ends, and a namespace only once nobody is in it.
  for (const link of [portOf('a'), portOf('b'), bridge]) {
    if (found.includes(link)) ip('link', 'del', link);
  }
  for (const namespace of [namespaceOf('a'), namespaceOf('b')]) {
    if (found.includes(namespace)) ip('netns', 'del', namespace);
  }
}

function namespaces(): string[] {
  const text = execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' });
  return text.split('\n').flatMap((line) => line.split(' ', 1).filter(Boolean));
}

function ip(...args: readonly string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
