import { writeFileSync } from 'node:fs';
import { messageOf, UserError } from '@understudy/shared/runtime/errors';

/** Writes a file that is not there yet; with force, also one that is. Throws `UserError` when it can't. */
export function writeOut(file: string, text: string, force: boolean): void {
  try {
    writeFileSync(file, text, { flag: force ? 'w' : 'wx' });
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST';
    const why = isThere ? 'is there already; --force overwrites it' : messageOf(error);
    throw new UserError(`--out holds "${file}": ${why}`);
  }
}
