import { chownSync } from 'node:fs';
import type { HostNetwork } from '@understudy/scripts/hosts/network';
import { reachableFrom } from '@understudy/scripts/hosts/reachable-postgres';
import type { Premises } from '../cluster/premises.ts';

/** Every host has these for itself. */
const HEARTBEAT_PORT = 7400;
const CONTROLLER_PORT = 7300;

/** Nobody of whom there is a home. */
const PLAIN_USER = 65_534;

/** What a plain user who may change addresses and speak past TCP is, and nothing more. */
const AS_PLAIN_USER = [
  ...['setpriv', `--reuid=${PLAIN_USER}`, `--regid=${PLAIN_USER}`, '--clear-groups'],
  ...['--inh-caps=-all,+net_admin,+net_raw', '--ambient-caps=-all,+net_admin,+net_raw'],
  // The kernel cuts this tie when the user changes.
  ...['--bounding-set=-all,+net_admin,+net_raw', '--pdeathsig=KILL', '--'],
];

/**
 * Each controller host and each agent is a host of that network with the same name; the database is here. `isPlain`:
 * heartbeats are run by a plain user with the rights that virtual addresses need, as a unit would do it.
 */
export function premisesIn(network: HostNetwork, isPlain = false): Premises {
  const nodes: string[] = [];
  return {
    addresses: async (all) => {
      nodes.push(...all);
      return all.map((node) => ({
        node,
        ip: network.host(node).ip,
        // Under whichever address somebody asks.
        listen: '[::]',
        heartbeatPort: HEARTBEAT_PORT,
        controllerPort: CONTROLLER_PORT,
      }));
    },
    prefixOf: (name) => [
      ...network.host(name).prefix,
      ...(isPlain && nodes.includes(name) ? AS_PLAIN_USER : []),
    ],
    own: (file) => {
      if (isPlain) chownSync(file, PLAIN_USER, PLAIN_USER);
    },
    postgres: (folder) => reachableFrom(network, folder),
    databaseUrl: (url) => url.replace('@127.0.0.1:', `@${network.own}:`),
  };
}
