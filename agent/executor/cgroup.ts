import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmdirSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
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
 * session, his parents or his environment. Each life of the worker has one of its own, below that of its agent.
 */
export class Cgroup {
  readonly path: string;
  /** Kept open, for it is read at the end of each attempt. */
  readonly #procs: number;
  /** How many earlier workers of the agent had left behind. */
  readonly found: number;

  private constructor(path: string, found: number) {
    this.path = path;
    this.#procs = openSync(procsOf(path), 'r');
    this.found = found;
  }

  /** Ends what is below the agent's cgroup and makes a new one there. Null where that is not allowed. */
  static make(agents: string): Cgroup | null {
    try {
      mkdirSync(agents, { recursive: true });
      const found = below(agents).reduce((sum, path) => sum + pidsIn(path).length, 0);
      kill(agents);
      return new Cgroup(mkdtempSync(join(agents, 'worker-')), found);
    } catch {
      return null;
    }
  }

  /** Ends whoever is below the agent's cgroup, and removes it. Does nothing where there is none. */
  static async remove(agents: string): Promise<void> {
    for (let look = 0; look < 20; look += 1) {
      try {
        kill(agents);
        for (const path of [...below(agents), agents]) rmdirSync(path);
        return;
      } catch (error) {
        // Who was killed is in it until the kernel has let him go.
        if ((error as NodeJS.ErrnoException).code !== 'EBUSY') return;
        await delay(10);
      }
    }
  }

  /** Brings this process into it, and so all that it starts from now on. Whether that was allowed. */
  enter(): boolean {
    try {
      writeFileSync(procsOf(this.path), String(process.pid), { flag: 'r+' });
      return this.pids().includes(process.pid);
    } catch {
      return false;
    }
  }

  /** Who lives in it, zombies not counted. */
  pids(): number[] {
    return pidsOf(readAnew(this.#procs));
  }
}

function procsOf(path: string): string {
  return join(path, 'cgroup.procs');
}

function below(path: string): string[] {
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(path, entry.name));
}

function pidsIn(path: string): number[] {
  return pidsOf(readFileSync(procsOf(path), 'utf8'));
}

function pidsOf(text: string): number[] {
  return text.split('\n').filter(Boolean).map(Number);
}

const piece = Buffer.alloc(4_096);

/** The text of an open file of the kernel, which writes it anew for whoever reads from its beginning. */
function readAnew(file: number): string {
  let text = '';
  for (;;) {
    const length = readSync(file, piece, 0, piece.length, text.length);
    if (length === 0) return text;
    text += piece.toString('latin1', 0, length);
  }
}

/** Ends all that is in it and below at one stroke: nothing of it can fork meanwhile. Linux 5.14 and later. */
function kill(path: string): void {
  // The kernel lets its owner write it, and not read it: only root could open it for both.
  const file = openSync(join(path, 'cgroup.kill'), constants.O_WRONLY);
  try {
    writeSync(file, '1');
  } finally {
    closeSync(file);
  }
}
