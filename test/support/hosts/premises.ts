import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Premises } from '../cluster/premises.ts';
import type { HostNetwork } from './network.ts';

/** Every host has these for itself. */
const HEARTBEAT_PORT = 7400;
const CONTROLLER_PORT = 7300;

/** Each controller host and each agent is a host of that network with the same name; the database is here. */
export function premisesIn(network: HostNetwork): Premises {
  return {
    addresses: async (nodes) =>
      nodes.map((node) => ({
        node,
        ip: network.host(node).ip,
        // Under whichever address somebody asks.
        listen: '[::]',
        heartbeatPort: HEARTBEAT_PORT,
        controllerPort: CONTROLLER_PORT,
      })),
    prefixOf: (name) => network.host(name).prefix,
    postgres: (folder) => {
      const rules = join(folder, 'pg_hba.conf');
      const lines = ['127.0.0.1/32', network.range].map(
        (range) => `host all all ${range} scram-sha-256\n`,
      );
      // Of replication, too: the tests read what was committed from there.
      const streams = lines.map((line) => line.replace('all', 'replication'));
      writeFileSync(rules, [...lines, ...streams].join(''));
      chmodSync(rules, 0o644);
      return { listen_addresses: `127.0.0.1,${network.own}`, hba_file: rules };
    },
    databaseUrl: (url) => url.replace('@127.0.0.1:', `@${network.own}:`),
  };
}
