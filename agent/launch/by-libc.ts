import { launchByNode } from './by-node.ts';
import type { Libc } from './libc.ts';
import type { Launch, Launcher } from './port.ts';
import { Reaper } from './reaper.ts';

/**
 * Starts programs by `posix_spawn`, which lends the memory of this process to the new one until that has its own. Node
 * copies the tables of its memory instead, and both then pay for each page that one of them writes to: several
 * times what it takes to start a small program. Whatever the C library refuses is left to Node, which says why.
 */
export function launcherByLibc(libc: Libc): Launcher {
  const reaper = new Reaper(libc.reap);
  return async (launch) => {
    const env = Object.entries(launch.env).map(([name, value]) => `${name}=${value}`);
    const pid = isWhole(launch, env) ? await libc.spawn({ ...launch, env }) : null;
    if (pid === null) return await launchByNode(launch);
    return { pid, exited: reaper.exitOf(pid) };
  };
}

/** To the C library a text ends at the first NUL. */
function isWhole({ command, cwd }: Launch, env: readonly string[]): boolean {
  return [...command, ...env, cwd ?? ''].every((text) => !text.includes('\0'));
}
