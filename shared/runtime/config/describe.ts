import type { Timers } from '../../kernel/timers.ts';
import { agentKeys, controllerHostKeys, type Keys } from './keys.ts';
import { loadAgentConfig, loadControllerHostConfig } from './load.ts';
import { masked } from './mask.ts';
import { resolveKeys } from './resolve.ts';
import { type ConfigSources, environmentName, readConfigFile } from './sources.ts';

export type HostKind = 'controller' | 'worker';

export interface DescribedKey {
  readonly key: string;
  /** Secrets are masked. Null: not set. */
  readonly value: unknown;
  readonly source: string;
}

export interface ConfigDescription {
  readonly host: HostKind;
  readonly keys: readonly DescribedKey[];
  /** Null for a worker host. */
  readonly timers: Timers | null;
}

/** Every effective value with where it came from, and the derived timers. Throws when the configuration is bad. */
export function describeConfig(sources: ConfigSources): ConfigDescription {
  const host = hostKindOf(sources);
  if (host === 'worker') {
    loadAgentConfig(sources);
    return { host, keys: describeKeys(sources, agentKeys), timers: null };
  }
  const { timers } = loadControllerHostConfig(sources);
  return { host, keys: describeKeys(sources, controllerHostKeys), timers };
}

/** Which kind of host a configuration is for: a worker host names its `agent` and its `controllers`. */
export function hostKindOf(sources: ConfigSources): HostKind {
  const tree = sources.file === null ? null : readConfigFile(sources.file, []);
  const names = (key: string) =>
    Object.hasOwn(tree ?? {}, key) ||
    Object.hasOwn(sources.overrides ?? {}, key) ||
    (sources.env[environmentName(key)] ?? '') !== '';
  const isWorker = names('controllers') && !names('database');
  return isWorker ? 'worker' : 'controller';
}

function describeKeys(sources: ConfigSources, keys: Keys): DescribedKey[] {
  const { entries } = resolveKeys(sources, keys);
  return Object.entries(keys).map(([name, key]) => {
    const entry = entries.get(name);
    return {
      key: name,
      value: masked(entry?.given, key.secrecy),
      source: entry?.source ?? 'default',
    };
  });
}
