import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, lstatSync, readdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { exitCodes, UserError } from '@understudy/shared/runtime/errors';
import type { Binaries } from './binaries.ts';

/** The account that PostgreSQL runs under: it refuses to run as root. */
export interface Account {
  /** Put before a command, makes it run under this account. */
  readonly prefix: readonly string[];
  /** Gives a file or a folder with all that is in it to this account. */
  own(path: string): void;
}

/** Inside a user namespace this process's own account appears under this id, `nobody`'s. */
const NAMESPACE_USER = '65534';

/**
 * Chooses how to run PostgreSQL with this data folder. A plain user runs it as himself. Root uses an
 * unprivileged account that can reach the programs and the folder, or else a user namespace in
 * which root is nobody.
 */
export function chooseAccount(binaries: Binaries, dataDir: string): Account {
  if (process.getuid?.() !== 0) return { prefix: [], own: () => undefined };
  const account = unprivilegedAccount(binaries, dataDir) ?? namespaceAccount(binaries);
  if (account !== null) return account;
  // As in a plain container: no namespaces, and a test's temporary folder that only root may enter.
  if (openTemporaryFolders(dataDir)) {
    const other = unprivilegedAccount(binaries, dataDir);
    if (other !== null) return other;
  }
  throw new UserError(
    `PostgreSQL refuses to run as root, and no other account can be used for ${dataDir}: ` +
      `the accounts postgres and nobody can't reach both ${dirname(binaries.postgres)} and that folder, ` +
      'and this host permits no user namespaces; run this as a plain user',
    exitCodes.badConfig,
  );
}

function unprivilegedAccount(binaries: Binaries, dataDir: string): Account | null {
  for (const name of ['postgres', 'nobody']) {
    const [uid, gid] = [idOf('-u', name), idOf('-g', name)];
    if (uid === null || gid === null) continue;
    const prefix = ['setpriv', '--reuid', `${uid}`, '--regid', `${gid}`, '--clear-groups', '--'];
    // The folder itself will be given to the account; the way to it has to be open already.
    const reachesFolder = succeeds([...prefix, 'test', '-x', dirname(dataDir)]);
    if (reachesFolder && succeeds([...prefix, binaries.initdb, '--version'])) {
      return { prefix, own: (path) => giveTo(path, uid, gid) };
    }
  }
  return null;
}

/** Lets others pass through (not list) the folders above one that lies in the temporary folder. */
function openTemporaryFolders(dataDir: string): boolean {
  const temporary = `${resolve(tmpdir())}/`;
  const above: string[] = [];
  for (let folder = dirname(dataDir); folder.startsWith(temporary); folder = dirname(folder)) {
    above.push(folder);
  }
  for (const folder of above) {
    if (existsSync(folder)) chmodSync(folder, (statSync(folder).mode & 0o777) | 0o011);
  }
  return above.length > 0;
}

function namespaceAccount(binaries: Binaries): Account | null {
  const prefix = ['unshare', '--user', `--map-user=${NAMESPACE_USER}`, '--'];
  if (!succeeds([...prefix, binaries.initdb, '--version'])) return null;
  return { prefix, own: (path) => giveTo(path, 0, 0) };
}

function idOf(flag: '-u' | '-g', name: string): number | null {
  try {
    const stdio: ['ignore', 'pipe', 'ignore'] = ['ignore', 'pipe', 'ignore'];
    return Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio }));
  } catch {
    return null;
  }
}

function succeeds([program = '', ...args]: readonly string[]): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore', cwd: '/', timeout: 10_000 });
    return true;
  } catch {
    return false;
  }
}

function giveTo(path: string, uid: number, gid: number): void {
  const stat = lstatSync(path);
  if (stat.isSymbolicLink()) return;
  if (stat.uid !== uid || stat.gid !== gid) chownSync(path, uid, gid);
  if (stat.isDirectory()) for (const name of readdirSync(path)) giveTo(join(path, name), uid, gid);
}
