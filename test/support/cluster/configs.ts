import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestAuthority } from '../certificates.ts';
import type { Links } from './links.ts';

/** What the tests set in a configuration on top of the cluster's own; nested like the file. */
export type Overrides = Readonly<Record<string, unknown>>;

export interface HostAddress {
  readonly node: string;
  /** Where heartbeat and controller are reached. */
  readonly ip: string;
  /** Where the controller listens. */
  readonly listen: string;
  readonly heartbeatPort: number;
  readonly controllerPort: number;
  readonly scheme: 'http' | 'https';
}

export interface PairFacts {
  readonly folder: string;
  readonly pair: string;
  readonly token: string;
  readonly database: string;
  readonly hosts: readonly HostAddress[];
  /** What lies between all of them; null: nothing. */
  readonly links: Links | null;
  /** Who signs the certificates of hosts and agents; null: plain HTTP. */
  readonly authority: TestAuthority | null;
}

export const heartbeatUrl = (host: HostAddress) =>
  `${host.scheme}://${host.ip}:${host.heartbeatPort}`;
export const controllerUrl = (host: HostAddress) =>
  `${host.scheme}://${host.ip}:${host.controllerPort}`;

/** Writes a controller host's configuration and gives its path. JSON is YAML. */
export function writeHostConfig(facts: PairFacts, host: HostAddress, overrides: Overrides): string {
  const { links, authority } = facts;
  return write(facts, host.node, overrides, {
    pair: facts.pair,
    node: host.node,
    database: links === null ? facts.database : links.databaseUrl(host.node, facts.database),
    token: facts.token,
    keystore: join(facts.folder, 'keystore'),
    heartbeat: {
      listen: `${host.ip}:${host.heartbeatPort}`,
      url: heartbeatUrl(host),
      peers: facts.hosts
        .filter((other) => other.node !== host.node)
        .map((other) => links?.peerUrl(host.node, other.node) ?? heartbeatUrl(other)),
    },
    controller: { listen: `${host.listen}:${host.controllerPort}`, url: controllerUrl(host) },
    ...(authority === null ? {} : { tls: { ...authority.filesOf(authority.node(host.node)) } }),
    log: { level: 'debug', format: 'text' },
  });
}

/** Writes an agent's configuration and gives its path. */
export function writeAgentConfig(facts: PairFacts, agent: string, overrides: Overrides): string {
  const { authority } = facts;
  return write(facts, agent, overrides, {
    pair: facts.pair,
    agent,
    controllers: facts.hosts.map(
      (host) => facts.links?.controllerUrl(agent, host.node) ?? controllerUrl(host),
    ),
    token: facts.token,
    data: join(facts.folder, `${agent}.data`),
    ...(authority === null ? {} : { tls: { ...authority.filesOf(authority.agent(agent)) } }),
    log: { level: 'debug', format: 'text' },
  });
}

function write(facts: PairFacts, name: string, overrides: Overrides, base: Overrides): string {
  const path = join(facts.folder, `${name}.yaml`);
  writeFileSync(path, JSON.stringify(merge(base, overrides), null, 2), { mode: 0o600 });
  return path;
}

function merge(base: Overrides, over: Overrides): Overrides {
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key];
    merged[key] = isObject(below) && isObject(value) ? merge(below, value) : value;
  }
  return merged;
}

function isObject(value: unknown): value is Overrides {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
