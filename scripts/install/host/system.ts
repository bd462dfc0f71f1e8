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

/** An account as files know it. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** The account of that name on that host. Throws `UserError` when there is none. */
export function ownerOf(root: string, name: string): Owner {
  const file = join(root, 'etc/passwd');
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
  const [, , uid, gid] = lines.find((each) => each.startsWith(`${name}:`))?.split(':') ?? [];
  if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  throw new UserError(
    `there is no account ${name} in ${file}; expected one as whom the service runs`,
  );
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
