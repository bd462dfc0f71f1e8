import { spawn } from 'node:child_process';
import type { Cgroup } from './cgroup.ts';

/** Reads until the other end of the pipe is gone, then ends all that is in the cgroup. */
const SCRIPT = 'read -r _; echo 1 > "$0/cgroup.kill"';

/**
 * Ties all that is in a cgroup to the life of this process: a shell waits outside of it for the end of a pipe
 * that only this process holds, which the kernel closes however this process ends. It takes everything along,
 * where a signal at the death of a parent reaches one process, and costs nothing at each start.
 */
export class CgroupGuard {
  #isWatching = false;

  /** To be made before this process enters the cgroup. */
  constructor(cgroup: Cgroup) {
    const shell = spawn('/bin/sh', ['-c', SCRIPT, cgroup.path], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
      env: {},
    });
    shell.unref();
    shell.stdin.on('error', () => undefined);
    shell.once('spawn', () => {
      this.#isWatching = true;
    });
    const gone = (): void => {
      this.#isWatching = false;
    };
    shell.once('error', gone);
    shell.once('exit', gone);
  }

  /** Whether what is started now will end with this process. */
  get isWatching(): boolean {
    return this.#isWatching;
  }
}
