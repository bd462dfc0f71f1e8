import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { messageOf, UserError } from '@understudy/shared/runtime/errors';
import type { PlannedFile } from './plan.ts';
import type { Owner } from './system.ts';

/** What became of a file. `kept`: it is the operator's, and was not touched. */
export type Outcome = 'written' | 'replaced' | 'unchanged' | 'kept';

export interface WriteOptions {
  /** `/`, or the folder that stands for it. */
  readonly root: string;
  /** As whom the service runs; null: all belongs to whoever writes it. */
  readonly owner: Owner | null;
}

/** Writes a file, whole or not at all, unless it is there and the operator's. Throws `UserError` with its path. */
export function writePlanned(file: PlannedFile, { root, owner }: WriteOptions): Outcome {
  const path = join(root, file.path);
  try {
    const before = existsSync(path) ? readFileSync(path, 'utf8') : null;
    if (before !== null && file.isTheirs) return 'kept';
    if (before === file.text) return 'unchanged';
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    const temporary = `${path}.new`;
    rmSync(temporary, { force: true });
    writeFileSync(temporary, file.text, { mode: 0o600, flag: 'wx' });
    if (file.forService && owner !== null) chownSync(temporary, 0, owner.gid);
    // Apart from the umask of whoever calls.
    chmodSync(temporary, file.mode);
    renameSync(temporary, path);
    return before === null ? 'written' : 'replaced';
  } catch (error) {
    throw new UserError(`${path} can't be written: ${messageOf(error)}`);
  }
}

/** Makes the folder in which the service keeps its data, as systemd would when it starts it. */
export function makeState(state: string, { root, owner }: WriteOptions): void {
  const folder = join(root, 'var/lib', state);
  if (existsSync(folder)) return;
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o700);
  if (owner !== null) chownSync(folder, owner.uid, owner.gid);
}

/** Removes a file; whether it was there. */
export function removePlanned(path: string, root: string): boolean {
  const full = join(root, path);
  if (!existsSync(full)) return false;
  try {
    rmSync(full, { recursive: true });
    return true;
  } catch (error) {
    throw new UserError(`${full} can't be removed: ${messageOf(error)}`);
  }
}
