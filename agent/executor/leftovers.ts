import { readdirSync } from 'node:fs';
import { readProc } from '@understudy/shared/runtime/child';

/** Which processes are meant: those that carry all of these variables in their environment. */
export interface Marker {
  /** `UNDERSTUDY_AGENT_OWNER` begins with this: `<pair>/<agent>/`. */
  readonly owner: string;
  /** `UNDERSTUDY_AGENT_DATA`: the data folder, so that a namesake elsewhere is left alone. */
  readonly data: string;
  /** One attempt only. */
  readonly attempt?: { readonly run: string; readonly attempt: number };
}

/**
 * Ends what carries the marker, again until nothing is left, because a process may fork between the
 * look and the kill. This process and its ancestors are spared. Returns the pids that were ended.
 */
export function endMarked(marker: Marker): ReadonlySet<number> {
  const ended = new Set<number>();
  for (let look = 0; look < 20; look += 1) {
    const found = findMarked(marker);
    if (found.length === 0) break;
    for (const pid of found) {
      if (kill(pid)) ended.add(pid);
    }
  }
  return ended;
}

function findMarked(marker: Marker): number[] {
  const spared = ancestors();
  const found: number[] = [];
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || spared.has(pid)) continue;
    const environment = readProc(`/proc/${name}/environ`);
    if (environment !== null && carries(environment, marker)) found.push(pid);
  }
  return found;
}

/** Whether the text of /proc/PID/environ has all that the marker asks for. */
export function carries(environment: string, marker: Marker): boolean {
  const rows = `\0${environment}`;
  if (!rows.includes(`\0UNDERSTUDY_AGENT_OWNER=${marker.owner}`)) return false;
  if (!rows.includes(`\0UNDERSTUDY_AGENT_DATA=${marker.data}\0`)) return false;
  const { attempt } = marker;
  return (
    attempt === undefined ||
    (rows.includes(`\0UNDERSTUDY_RUN=${attempt.run}\0`) &&
      rows.includes(`\0UNDERSTUDY_ATTEMPT=${attempt.attempt}\0`))
  );
}

function ancestors(): Set<number> {
  const spared = new Set([process.pid]);
  let pid = process.ppid;
  while (pid > 0 && !spared.has(pid)) {
    spared.add(pid);
    pid = Number(statOf(pid)[1] ?? 0);
  }
  return spared;
}

/** State, parent, process group and so on; nothing when the process is gone. */
function statOf(pid: number): string[] {
  const stat = readProc(`/proc/${pid}/stat`);
  return stat === null ? [] : stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function kill(pid: number): boolean {
  try {
    process.kill(pid, 'SIGKILL');
    return true;
  } catch {
    return false; // It ended by itself.
  }
}
