import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Environment } from './sources.ts';

const SYSTEM_FOLDER = '/etc/understudy';
/** Where `understudy install` puts the files of a controller host and of a worker host. */
const FILES = { controller: 'understudy.yaml', agent: 'agent.yaml' } as const;
/** Where the one-machine system has those of its first host and its first agent. */
const LOCAL_FILES = { controller: 'a.yaml', agent: 'w1.yaml' } as const;

export interface FindOptions {
  /** From `--config`. */
  readonly given: string | undefined;
  readonly env: Environment;
  readonly workingFolder: string;
  /** What the command is first of all about. */
  readonly role: 'controller' | 'agent';
  /** Where those of the host are; default: /etc/understudy. */
  readonly systemFolder?: string;
}

/**
 * The configuration file to use: the one given, `UNDERSTUDY_CONFIG`, the host's, be it a controller host or a worker
 * host, or that of the one-machine system in the working folder or above. Null when there is none: the environment
 * may hold everything.
 */
export function findConfigFile(options: FindOptions): string | null {
  const named = options.given ?? options.env['UNDERSTUDY_CONFIG'];
  if (named !== undefined && named !== '') return named;
  const { role, systemFolder = SYSTEM_FOLDER } = options;
  const other = role === 'agent' ? 'controller' : 'agent';
  for (const name of [FILES[role], FILES[other]]) {
    const file = join(systemFolder, name);
    if (existsSync(file)) return file;
  }
  for (let folder = options.workingFolder; ; folder = dirname(folder)) {
    const file = join(folder, '.understudy', LOCAL_FILES[role]);
    if (existsSync(file)) return file;
    if (folder === dirname(folder)) return null;
  }
}
