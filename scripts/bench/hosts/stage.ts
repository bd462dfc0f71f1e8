import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HostNetwork } from '../../hosts/network.ts';
import type { NetworkHost } from '../../hosts/network-host.ts';
import { PacketFilter } from '../../hosts/packet-filter.ts';
import { Undoings } from '../../hosts/undoings.ts';
import type { Wish } from '../load/load.ts';
import type { Target } from '../prober.ts';
import { AGENTS, FAILOVER_LIMIT, furnish, type StagedPair, type StageOptions } from '../stage.ts';
import { startHaproxy } from './haproxy.ts';
import { CONTROLLER_PORT, startOnHosts, withoutPrefix } from './system.ts';
import { Users } from './users.ts';

/** One of the ways on which users reach the pair. */
export interface Route {
  readonly name: 'vip' | 'haproxy';
  readonly title: string;
  readonly target: Target;
}

/** What users of a benchmark do. */
export interface Habits {
  /** Half of it over new connections, half over kept ones. */
  readonly perSecond: number;
  /** Default: some of all. */
  readonly wishes?: readonly Wish[];
  /** Of which they start runs. */
  readonly job: string;
  /** Default: 10 s. */
  readonly timeoutMs?: number;
}

/** A system on hosts of their own network, and users on another one. */
export interface HostsStage extends StagedPair {
  readonly network: HostNetwork;
  readonly routes: readonly Route[];
  /** Each way is asked so often. */
  readonly perSecond: number;
  /** Users of one route; they are ended with the stage at the latest. */
  startUsers(route: Route, habits: Omit<Habits, 'perSecond'>): Users;
  /** What is done to the packets of a controller host. */
  filterOf(node: string): PacketFilter;
}

export interface HostsStageOptions extends Pick<StageOptions, 'targetMs' | 'jobs' | 'logs'> {
  readonly perSecond: number;
}

const CONTROLLERS = ['a', 'b'];
const OTHERS = ['w1', 'w2', 'lb', 'client'];

/** Makes the hosts, starts a system on them and waits until its pair is whole. Needs root. */
export async function openHostsStage(options: HostsStageOptions): Promise<HostsStage> {
  const undoings = new Undoings();
  const folder = mkdtempSync(join(tmpdir(), 'understudy-bench-'));
  undoings.teardown(() => rmSync(folder, { recursive: true, force: true }));
  try {
    const network = HostNetwork.make(undoings, [...CONTROLLERS, ...OTHERS]);
    const virtual = network.free(2);
    const failover = { target: `${options.targetMs}ms`, limit: FAILOVER_LIMIT };
    const place = { network, folder, virtual, failover, agents: AGENTS };
    const system = await startOnHosts(place, undoings);
    const { logs } = options;
    if (logs !== undefined) {
      const kept = join(logs, 'hosts');
      undoings.teardown(() => cpSync(system.layout.logs, kept, { recursive: true }));
    }
    const furnished = await furnish(options, system, folder);
    const filters = new Map(
      CONTROLLERS.map((node) => [node, new PacketFilter(network.host(node))]),
    );
    const haproxy = await startHaproxy(network.host('lb'), system, undoings);
    return {
      ...{ ...furnished, network, perSecond: options.perSecond },
      routes: [
        {
          ...{ name: 'vip', title: 'virtual IP' },
          target: { host: withoutPrefix(virtual), port: CONTROLLER_PORT },
        },
        { name: 'haproxy', title: 'HAProxy', target: haproxy },
      ],
      startUsers: ({ target }, habits) => {
        const users = startUsers(network.host('client'), target, system.token, {
          ...habits,
          perSecond: options.perSecond,
        });
        undoings.teardown(() => users.stop());
        return users;
      },
      filterOf: (node) => {
        const filter = filters.get(node);
        if (filter === undefined) throw new Error(`${node} is no controller host`);
        return filter;
      },
      close: () => undoings.undo(),
    };
  } catch (error) {
    await undoings.undo();
    throw error;
  }
}

/** Users who live on a host and ask at one address. */
export function startUsers(
  host: NetworkHost,
  target: Target,
  token: string,
  habits: Habits,
): Users {
  return Users.start(host, { targets: [target], token, ...habits });
}
