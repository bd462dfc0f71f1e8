import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { readProc } from '@understudy/shared/runtime/child';
import { exitCodes, messageOf, UserError } from '@understudy/shared/runtime/errors';
import type { Account } from './account.ts';
import type { Binaries } from './binaries.ts';

/** The role that owns everything in the cluster. */
export const CLUSTER_USER = 'understudy';

export interface Cluster {
  /** What PostgreSQL itself calls its data directory. */
  readonly folder: string;
  readonly password: string;
}

/**
 * Makes the cluster in a data folder, or finds the one that is there. It is made under another name
 * and renamed when it is complete: one that was interrupted is never taken for a whole one.
 */
export async function prepareCluster(
  dataDir: string,
  binaries: Binaries,
  account: Account,
): Promise<Cluster> {
  makeFolder(dataDir);
  const folder = join(dataDir, 'cluster');
  const passwordFile = join(dataDir, 'password');
  if (!existsSync(folder)) {
    const unfinished = join(dataDir, 'cluster.unfinished');
    rmSync(unfinished, { recursive: true, force: true });
    writeFileSync(passwordFile, `${randomBytes(24).toString('hex')}\n`, { mode: 0o600 });
    account.own(dataDir);
    await initialise(unfinished, passwordFile, binaries, account);
    renameSync(unfinished, folder);
  }
  checkComplete(dataDir, folder, passwordFile);
  account.own(dataDir);
  removeStaleLock(folder);
  return { folder, password: readFileSync(passwordFile, 'utf8').trim() };
}

function makeFolder(dataDir: string): void {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    chmodSync(dataDir, 0o700);
  } catch (error) {
    throw new UserError(
      `the folder ${dataDir} can't be used for PostgreSQL's data: ${messageOf(error)}; ` +
        'remove it, or start as the user who owns it',
      exitCodes.badConfig,
    );
  }
}

async function initialise(
  folder: string,
  passwordFile: string,
  binaries: Binaries,
  account: Account,
): Promise<void> {
  const options = ['-D', folder, '-U', CLUSTER_USER, `--pwfile=${passwordFile}`];
  const form = ['--auth=scram-sha-256', '--encoding=UTF8', '--locale=C', '--no-sync'];
  const [program = '', ...args] = [...account.prefix, binaries.initdb, ...options, ...form];
  try {
    // Without --no-sync this takes seconds on a slow disk. A cluster this young holds nothing to lose,
    // and PostgreSQL syncs all that it writes later.
    await promisify(execFile)(program, args, { cwd: '/', env: postgresEnvironment() });
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    const { stderr } = error as { stderr?: string };
    throw new UserError(`initdb failed: ${stderr?.trim() || messageOf(error)}`);
  }
}

/** Nothing of our environment may change what PostgreSQL does (PGDATA, PGPORT, a locale). */
export function postgresEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' };
}

function checkComplete(dataDir: string, folder: string, passwordFile: string): void {
  const needed = [join(folder, 'PG_VERSION'), join(folder, 'global', 'pg_control'), passwordFile];
  const missing = needed.find((file) => !existsSync(file));
  if (missing === undefined) return;
  throw new UserError(
    `PostgreSQL's data folder ${dataDir} is incomplete: ${missing} is missing; ` +
      'put it back, or remove the whole folder to begin with an empty database',
    exitCodes.badConfig,
  );
}

/**
 * After a restart of the host or container the pid in a left-over lock file may belong to something
 * else, and PostgreSQL would refuse to start. A lock whose process is not PostgreSQL is stale.
 */
function removeStaleLock(folder: string): void {
  const lock = join(folder, 'postmaster.pid');
  if (!existsSync(lock)) return;
  const pid = Number(readFileSync(lock, 'utf8').split('\n', 1)[0]);
  const name = readProc(`/proc/${pid}/comm`)?.trim() ?? null;
  if (name !== null && name !== 'postgres') rmSync(lock);
}
