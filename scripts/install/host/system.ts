import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, UserError } from '@understudy/shared/runtime/errors';

const WITHIN_MS = 60_000;

/** Makes the account that a file of systemd-sysusers describes; harmless when it is there. */
export function makeAccount(root: string, file: string): void {
  const where = root === '/' ? [] : [`--root=${root}`];
  run('systemd-sysusers', [...where, file], 'the account of the service can not be made');
}

/** Removes an account and its group; whether there was one. */
export function removeAccount(root: string, name: string): boolean {
  const where = root === '/' ? [] : ['--prefix', root];
  const isThere = has(root, 'passwd', name);
  if (isThere) run('userdel', [...where, name], `the account ${name} can not be removed`);
  // On some systems the group goes with its only member.
  if (has(root, 'group', name)) {
    run('groupdel', [...where, name], `the group ${name} can not be removed`);
  }
  return isThere;
}

/** An account as files know it. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** The account of that name on that host. Throws `UserError` when there is none. */
export function ownerOf(root: string, name: string): Owner {
  const file = join(root, 'etc/passwd');
  const line = linesOf(file).find((each) => each.startsWith(`${name}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  throw new UserError(
    `there is no account ${name} in ${file}; expected one as whom the service runs`,
  );
}

function has(root: string, file: 'passwd' | 'group', name: string): boolean {
  return linesOf(join(root, 'etc', file)).some((line) => line.startsWith(`${name}:`));
}

function linesOf(file: string): readonly string[] {
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
}

/** Whether the systemd of this very host runs and is meant. */
export function isLive(root: string): boolean {
  return root === '/' && existsSync('/run/systemd/system');
}

/** Lets systemd read its units again. */
export function reloadUnits(): void {
  run('systemctl', ['daemon-reload'], 'systemd can not be told of the unit');
}

/** Ends a service and keeps it from starting at boot; harmless when there is none. */
export function disableService(name: string): void {
  run('systemctl', ['disable', '--now', '--quiet', name], `${name} can not be stopped`);
}

function run(program: string, args: readonly string[], problem: string): void {
  try {
    execFileSync(program, args, { stdio: 'pipe', timeout: WITHIN_MS });
  } catch (error) {
    const said = (error as { stderr?: Buffer }).stderr?.toString().trim() ?? '';
    throw new UserError(`${problem}: ${said === '' ? messageOf(error) : said}`);
  }
}
