import { formatDurationMs, parseDurationMs } from '@understudy/shared/kernel/duration';
import { hostKindOf } from '@understudy/shared/runtime/config/describe';
import { findConfigFile } from '@understudy/shared/runtime/config/find';
import { loadAgentConfig, loadControllerHostConfig } from '@understudy/shared/runtime/config/load';
import type { ConfigSources } from '@understudy/shared/runtime/config/sources';
import type { ControllerHostConfig } from '@understudy/shared/runtime/config/types';
import { UserError } from '@understudy/shared/runtime/errors';
import type { Command } from 'commander';
import { type ApiClient, makeApiClient } from './client/api-client.ts';
import { connectAs } from './client/secure.ts';

/** The options that every command takes. */
export interface GlobalOptions {
  readonly config?: string;
  readonly set: readonly string[];
  readonly timeout: string;
}

/** Where this invocation's configuration comes from. */
export function sourcesFor(
  command: Command,
  role: 'controller' | 'agent' = 'controller',
): ConfigSources {
  const options = command.optsWithGlobals<GlobalOptions>();
  const file = findConfigFile({
    given: options.config,
    env: process.env,
    workingFolder: process.cwd(),
    role,
  });
  return { file, env: process.env, overrides: overridesOf(options.set) };
}

/** The API client for this invocation, from a controller host's file or a worker host's. */
export function apiFor(command: Command): ApiClient {
  const sources = sourcesFor(command);
  const timeoutMs = timeoutOf(command);
  if (hostKindOf(sources) === 'worker') {
    const config = loadAgentConfig(sources);
    connectAs(config);
    const { controllers, token } = config;
    return makeApiClient({ controllers, heartbeats: [], token, timeoutMs });
  }
  const { controller, heartbeat, token } = loadPairConfig(sources);
  const heartbeats = [heartbeat.url, ...heartbeat.peers];
  return makeApiClient({ controllers: [controller.url], heartbeats, token, timeoutMs });
}

/** The configuration of a controller host, for a command that speaks to its pair. */
export function pairConfigFor(command: Command): ControllerHostConfig {
  return loadPairConfig(sourcesFor(command));
}

/** The same from sources that are known. */
export function loadPairConfig(sources: ConfigSources): ControllerHostConfig {
  const config = loadControllerHostConfig(sources);
  connectAs(config);
  return config;
}

/** The default of `--timeout`. */
export const DEFAULT_TIMEOUT = formatDurationMs(30_000);

/** What `--timeout` says, in milliseconds. */
export function timeoutOf(command: Command): number {
  const { timeout } = command.optsWithGlobals<GlobalOptions>();
  const ms = parseDurationMs(timeout);
  if (ms !== null) return ms;
  throw new UserError(`--timeout holds "${timeout}"; expected a duration like 250ms, 2s or 10m`);
}

function overridesOf(settings: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    settings.map((setting) => {
      const at = setting.indexOf('=');
      if (at > 0) return [setting.slice(0, at), setting.slice(at + 1)];
      throw new UserError(
        `--set holds "${setting}"; expected KEY=VALUE, for instance log.level=debug`,
      );
    }),
  );
}
