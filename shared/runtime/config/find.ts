import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Environment } from './sources.ts';

const SYSTEM_FILE = '/etc/understudy/understudy.yaml';

export interface FindOptions {
  /** From `--config`. */
  readonly given: string | undefined;
  readonly env: Environment;
  readonly workingFolder: string;
  /** The file of the one-machine system to fall back on: `a.yaml`, for an agent `w1.yaml`. */
  readonly localName: string;
}

/**
 * The configuration file to use: the one given, `UNDERSTUDY_CONFIG`, the system's, or that of the
 * one-machine system in the working folder or above. Null when there is none: the environment may
 * hold everything.
 */
export function findConfigFile(options: FindOptions): string | null {
  const named = options.given ?? options.env['UNDERSTUDY_CONFIG'];
  if (named !== undefined && named !== '') return named;
  if (existsSync(SYSTEM_FILE)) return SYSTEM_FILE;
  for (let folder = options.workingFolder; ; folder = dirname(folder)) {
    const file = join(folder, '.understudy', options.localName);
    if (existsSync(file)) return file;
    if (folder === dirname(folder)) return null;
  }
}
