import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  mkdirSync,
  openSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

const BALLAST = 'ballast';
const PIECE = Buffer.alloc(64 * 1024);
const LAST_PIECE = Buffer.alloc(512);

/** A small disk of its own for a test: a tmpfs, which can be filled up and made read-only. Needs root. */
export class Disk {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Makes the folder and mounts a disk of this size on it. */
  static mount(path: string, megabytes: number): Disk {
    mkdirSync(path, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=0755`, 'tmpfs', path]);
    return new Disk(path);
  }

  /** Leaves no byte free. */
  fill(): void {
    const file = openSync(join(this.path, BALLAST), 'a');
    try {
      for (const piece of [PIECE, LAST_PIECE]) {
        while (wasWritten(file, piece));
      }
    } finally {
      closeSync(file);
    }
  }

  /** Gives back what `fill` took. */
  free(): void {
    rmSync(join(this.path, BALLAST), { force: true });
  }

  /** Gives it to whoever owns that folder. */
  ownAs(folder: string): void {
    const { uid, gid } = statSync(folder);
    chownSync(this.path, uid, gid);
    chmodSync(this.path, 0o700);
  }

  /** Whether it may be written to; false works only as long as nobody has a file open for writing. */
  setWritable(isWritable: boolean): void {
    const mode = isWritable ? 'rw' : 'ro';
    execFileSync('mount', ['-o', `remount,${mode}`, this.path], { stdio: 'pipe' });
  }

  /** Whatever still uses it keeps what it has; nobody else finds it any more. */
  unmount(): void {
    execFileSync('umount', ['--lazy', this.path]);
  }
}

/** Why this test can't mount disks here; null when it can. */
export function whyNoDisk(): string | null {
  if (process.getuid?.() !== 0) return 'only root can mount a disk';
  try {
    execFileSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], {
      stdio: 'pipe',
    });
    return null;
  } catch (error) {
    return `no disk can be mounted here: ${(error as Error).message}`;
  }
}

function wasWritten(file: number, piece: Buffer): boolean {
  try {
    return writeSync(file, piece) === piece.length;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return false;
    throw error;
  }
}
