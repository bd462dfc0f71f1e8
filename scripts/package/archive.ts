import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { messageOf, UserError } from '@understudy/shared/runtime/errors';
import { stagePackage } from './stage.ts';

export interface ArchiveOptions {
  /** A checkout that was built. */
  readonly checkout: string;
  /** Where the archive is put; made when it is missing. */
  readonly folder: string;
}

const PACK_WITHIN_MS = 120_000;

/**
 * Makes `understudy-VERSION.tgz`, which `npm install -g` puts on a host without a network, and gives its path.
 * An archive of that name is replaced.
 */
export async function makeArchive({ checkout, folder }: ArchiveOptions): Promise<string> {
  const stage = mkdtempSync(join(tmpdir(), 'understudy-stage-'));
  try {
    const version = stagePackage(checkout, stage);
    mkdirSync(folder, { recursive: true });
    const to = resolve(folder);
    const args = ['pack', '--offline', '--ignore-scripts', '--silent', '--pack-destination', to];
    await promisify(execFile)('npm', args, { cwd: stage, timeout: PACK_WITHIN_MS });
    return join(to, `understudy-${version}.tgz`);
  } catch (error) {
    throw new UserError(`the archive could not be made: ${messageOf(error)}`);
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}
