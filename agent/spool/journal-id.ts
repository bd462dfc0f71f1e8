import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { replaceFile } from './replace-file.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * The name of the journal beside it. A journal that is new, or was damaged, gets another name: a
 * controller then can't conclude from its silence about an attempt that the attempt never started.
 */
export async function nameJournal(path: string, anew: boolean): Promise<string> {
  const known = anew ? null : readName(path);
  if (known !== null) return known;
  const name = randomUUID();
  await replaceFile(path, `${name}\n`);
  return name;
}

function readName(path: string): string | null {
  try {
    const name = readFileSync(path, 'utf8').trim();
    return UUID.test(name) ? name : null;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
