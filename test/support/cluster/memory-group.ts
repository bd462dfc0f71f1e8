import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { eventually } from './eventually.ts';

/** What happens to who needs more than there is: the kernel kills him, or lets him wait. */
export type Shortage = 'kill' | 'stall';

/**
 * A control group that leaves its processes no memory but what they have: what was theirs when they came
 * stays charged where they came from. Works with both generations of control groups. Needs root.
 */
export class MemoryGroup {
  readonly #path: string;
  readonly #isUnified: boolean;

  private constructor(path: string, isUnified: boolean) {
    this.#path = path;
    this.#isUnified = isUnified;
  }

  static make(name: string): MemoryGroup {
    const root = memoryRoot();
    if (root === null) throw new Error('there are no control groups for memory here');
    const path = join(root.path, name);
    mkdirSync(path);
    return new MemoryGroup(path, root.isUnified);
  }

  /** From now on these processes get no more than a moment's worth. */
  starve(pids: readonly number[], bytes: number, shortage: Shortage): void {
    if (this.#isUnified) {
      this.#write(shortage === 'kill' ? 'memory.max' : 'memory.high', `${bytes}`);
    } else {
      this.#write('memory.limit_in_bytes', `${bytes}`);
      this.#write('memory.oom_control', shortage === 'kill' ? '0' : '1');
    }
    for (const pid of pids) this.#write('cgroup.procs', `${pid}`);
  }

  /** They get what they want. */
  relieve(): void {
    if (this.#isUnified) this.#write('memory.high', 'max');
    else this.#write('memory.limit_in_bytes', '-1');
  }

  /** Sends what is left back where it came from, and goes. */
  async remove(): Promise<void> {
    if (!existsSync(this.#path)) return;
    this.relieve();
    await eventually(
      () => {
        for (const pid of this.#pids()) {
          try {
            writeFileSync(join(dirname(this.#path), 'cgroup.procs'), pid);
          } catch {
            // It has just ended.
          }
        }
        rmdirSync(this.#path);
        return true;
      },
      { what: `the control group ${this.#path} to be empty` },
    );
  }

  #pids(): string[] {
    return readFileSync(join(this.#path, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean);
  }

  #write(file: string, text: string): void {
    writeFileSync(join(this.#path, file), text);
  }
}

/** Why there can be no such groups here; null when there can. */
export function whyNoMemoryGroup(): string | null {
  try {
    const group = MemoryGroup.make(`understudy-probe-${process.pid}`);
    try {
      group.starve([], 64 * 1024 * 1024, 'kill');
    } finally {
      void group.remove();
    }
    return null;
  } catch (error) {
    return `no memory can be withheld here: ${(error as Error).message}`;
  }
}

function memoryRoot(): { readonly path: string; readonly isUnified: boolean } | null {
  const mounts = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '));
  for (const [, path = '', type, options = ''] of mounts) {
    if (type === 'cgroup' && options.split(',').includes('memory')) {
      return { path, isUnified: false };
    }
    const enabled = join(path, 'cgroup.subtree_control');
    if (type !== 'cgroup2' || !existsSync(enabled)) continue;
    if (readFileSync(enabled, 'utf8').split(/\s/).includes('memory')) {
      return { path, isUnified: true };
    }
  }
  return null;
}
