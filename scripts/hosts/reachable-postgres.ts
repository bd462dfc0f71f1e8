import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HostNetwork } from './network.ts';

/** Settings by which a PostgreSQL of this process is reached from all hosts; `folder` gets a file of rules. */
export function reachableFrom(
  network: HostNetwork,
  folder: string,
): Readonly<Record<string, string>> {
  const rules = join(folder, 'pg_hba.conf');
  const lines = ['127.0.0.1/32', network.range].map(
    (range) => `host all all ${range} scram-sha-256\n`,
  );
  // Of replication, too: the tests read what was committed from there.
  const streams = lines.map((line) => line.replace('all', 'replication'));
  writeFileSync(rules, [...lines, ...streams].join(''));
  chmodSync(rules, 0o644);
  return { listen_addresses: `127.0.0.1,${network.own}`, hba_file: rules };
}
