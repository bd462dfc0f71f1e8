import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { readProc } from '@understudy/shared/runtime/child';
import { version } from '@understudy/shared/runtime/version';
import { type Check, type Finding, ok, problem, warning } from '../finding.ts';

const OLDEST_NODE = [20, 19] as const;
const FILES_WANTED = 4_096;

/** What every host needs, whatever it does. */
export const hostChecks: readonly Check[] = [
  { name: 'versions', look: () => [judgeNode(process.versions.node)] },
  { name: 'setpriv', look: () => [findSetpriv(process.env['PATH'] ?? '')] },
  { name: 'open files', look: () => [judgeOpenFiles(readProc('/proc/self/limits') ?? '')] },
  { name: 'clock', look: async (signal) => [await askClock(signal)] },
];

export function judgeNode(node: string): Finding {
  const [major = 0, minor = 0] = node.split('.').map(Number);
  const [leastMajor, leastMinor] = OLDEST_NODE;
  const isGood = major > leastMajor || (major === leastMajor && minor >= leastMinor);
  const text = `Understudy ${version} on Node ${node}`;
  if (isGood) return ok('versions', text);
  return problem('versions', text, `install Node ${OLDEST_NODE.join('.')} or later`);
}

/** It ties processes to the life of their parent, and nothing is started without it. */
function findSetpriv(path: string): Finding {
  const folders = [...path.split(':'), '/usr/bin', '/bin'];
  const found = folders.map((folder) => join(folder, 'setpriv')).find(isExecutable);
  if (found !== undefined) return ok('setpriv', found);
  return problem('setpriv', 'is not on this host', 'install the package util-linux');
}

function isExecutable(file: string): boolean {
  if (!existsSync(file)) return false;
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** By the text of /proc/self/limits: `Max open files  1024  524288  files`. */
export function judgeOpenFiles(limits: string): Finding {
  const most = /^Max open files +\S+ +(\S+)/m.exec(limits)?.[1];
  const text = `${most ?? 'an unknown number'} may be open at a time, here`;
  if (most === 'unlimited' || Number(most) >= FILES_WANTED) return ok('open files', text);
  const advice = `each agent and each request needs one: allow ${FILES_WANTED} or more (LimitNOFILE= of the unit)`;
  return warning('open files', text, advice);
}

async function askClock(signal: AbortSignal): Promise<Finding> {
  const advice = 'let chrony or systemd-timesyncd keep the clock: schedules follow it';
  try {
    const args = ['show', '--property=NTPSynchronized', '--value'];
    const { stdout } = await promisify(execFile)('timedatectl', args, { signal });
    if (stdout.trim() === 'yes') return ok('clock', 'is synchronised');
    return warning('clock', 'is not synchronised', advice);
  } catch {
    return warning('clock', 'nobody on this host tells whether it is synchronised', advice);
  }
}
