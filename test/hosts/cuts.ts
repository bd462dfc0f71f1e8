import { type OtherEnd, PacketFilter } from '@understudy/scripts/hosts/packet-filter';
import type { ExecutionContext } from 'ava';
import type { Stage } from './stage.ts';

/** Faults between the hosts of a stage, by the packet filters of its controller hosts. */
export interface Cuts {
  /** The database, as all hosts reach it. */
  readonly database: Required<OtherEnd>;
  host(node: string): OtherEnd;
  filterOf(node: string): PacketFilter;
  /** Cuts a host off from everything, but for the test, which goes on looking at its ports. */
  isolate(node: string): void;
  heal(): void;
}

/** All is healed when the test is over, however it ends: others share the hosts. */
export function makeCuts(t: ExecutionContext, { network, scenario }: Stage): Cuts {
  const { hosts } = scenario.cluster.facts;
  const filters = new Map(hosts.map(({ node }) => [node, new PacketFilter(network.host(node))]));
  const filterOf = (node: string): PacketFilter => {
    const filter = filters.get(node);
    if (filter === undefined) throw new Error(`there is no host ${node}`);
    return filter;
  };
  const heal = () => {
    for (const filter of filters.values()) filter.heal();
  };
  t.teardown(heal);
  return {
    database: { ip: network.own, port: scenario.cluster.postgres.port },
    host: (node) => ({ ip: network.host(node).ip }),
    filterOf,
    isolate: (node) => {
      const own = hosts.find((each) => each.node === node);
      if (own === undefined) throw new Error(`there is no host ${node}`);
      filterOf(node).isolate(network.own, [own.heartbeatPort, own.controllerPort]);
    },
    heal,
  };
}
