import type { HostAddress } from './configs.ts';
import { takePorts } from './ports.ts';

/** Where a controller host is reached, however it speaks there. */
export type Place = Omit<HostAddress, 'scheme'>;

/** Where the hosts, the agents and the database of a cluster are. */
export interface Premises {
  /** Where each of these controller hosts is reached. */
  addresses(nodes: readonly string[]): Promise<Place[]>;
  /** Put before a command, makes it run on that host. */
  prefixOf(name: string): readonly string[];
  /** Gives a file to who runs the hosts. */
  own(file: string): void;
  /** Settings by which PostgreSQL, which runs here, is reached from all of them; `folder` is the cluster's. */
  postgres(folder: string): Readonly<Record<string, string>>;
  /** The same database as all of them reach it. */
  databaseUrl(url: string): string;
}

/** Everybody is on this machine, on ports of 127.0.0.1 of his own. */
export const oneMachine: Premises = {
  addresses: async (nodes) => {
    const ports = await takePorts(2 * nodes.length);
    return nodes.map((node, index) => {
      const [heartbeatPort = 0, controllerPort = 0] = ports.slice(2 * index);
      return { node, ip: '127.0.0.1', listen: '127.0.0.1', heartbeatPort, controllerPort };
    });
  },
  prefixOf: () => [],
  own: () => undefined,
  postgres: () => ({}),
  databaseUrl: (url) => url,
};
