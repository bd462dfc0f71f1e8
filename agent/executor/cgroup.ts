import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** What /proc says of this process and of what is mounted. */
export interface CgroupFacts {
  /** /proc/self/cgroup */
  readonly membership: string;
  /** /proc/self/mountinfo */
  readonly mounts: string;
}

/** Where a cgroup of version 2 for what this agent starts would lie; null where there is none. */
export function cgroupPath(data: string, { membership, mounts }: CgroupFacts): string | null {
  const own = /^0::(\/.*)$/m.exec(membership)?.[1];
  // ID PARENT MAJOR:MINOR ROOT MOUNTPOINT OPTIONS [TAGS] - TYPE SOURCE SUPEROPTIONS
  const mount = mounts.split('\n').find((line) => / - cgroup2 /.test(line));
  const [, , , root = '/', point] = mount?.split(' ') ?? [];
  if (own === undefined || point === undefined) return null;
  const within = root === '/' || !own.startsWith(root) ? own : own.slice(root.length);
  const name = createHash('sha256').update(data).digest('hex').slice(0, 16);
  return join(point, within, `understudy-agent-${name}`);
}

/** The same, from the /proc of this process. */
export function cgroupPathHere(data: string): string | null {
  try {
    const membership = readFileSync('/proc/self/cgroup', 'utf8');
    return cgroupPath(data, { membership, mounts: readFileSync('/proc/self/mountinfo', 'utf8') });
  } catch {
    return null;
  }
}

/**
 * A cgroup in which a worker lives with all that it starts: nobody leaves it by what he does to his
 * session, his parents or his environment.
 */
export class Cgroup {
  readonly #path: string;
  readonly #procs: string;
  /** How many an earlier worker had left in it. */
  found = 0;

  private constructor(path: string) {
    this.#path = path;
    this.#procs = join(path, 'cgroup.procs');
  }

  /** Makes it, ends whoever is in it, and brings this process into it. Null where that is not allowed. */
  static enter(path: string): Cgroup | null {
    const cgroup = new Cgroup(path);
    try {
      mkdirSync(path, { recursive: true });
      cgroup.found = cgroup.pids().length;
      if (cgroup.found > 0) cgroup.kill();
      writeFileSync(cgroup.#procs, String(process.pid), { flag: 'r+' });
      return cgroup.pids().includes(process.pid) ? cgroup : null;
    } catch {
      return null;
    }
  }

  /** Ends whoever is in it, and removes it. Does nothing where there is none. */
  static async remove(path: string): Promise<void> {
    const cgroup = new Cgroup(path);
    for (let look = 0; look < 20; look += 1) {
      try {
        cgroup.kill();
        rmdirSync(path);
        return;
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code;
        // Who was killed is in it until the kernel has let him go.
        if (code !== 'EBUSY') return;
        await delay(10);
      }
    }
  }

  /** Who lives in it, zombies not counted. */
  pids(): number[] {
    return readFileSync(this.#procs, 'utf8').split('\n').filter(Boolean).map(Number);
  }

  /** Ends all that is in it at one stroke: nothing of it can fork meanwhile. */
  kill(): void {
    try {
      writeFileSync(join(this.#path, 'cgroup.kill'), '1', { flag: 'r+' });
    } catch (error) {
      // Kernels before 5.14 have no such stroke; there it takes several.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      this.#killEach();
    }
  }

  #killEach(): void {
    for (let look = 0; look < 20; look += 1) {
      const pids = this.pids();
      if (pids.length === 0) return;
      for (const pid of pids) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It ended by itself.
        }
      }
    }
  }
}
