import { open, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';

/** Where the output of an attempt lies. */
export function logPath(folder: string, attemptId: string): string {
  return join(folder, `${attemptId}.log`);
}

/** Reads up to `length` bytes of a log. Shorter when the file is; empty when it is gone. */
export async function readLog(path: string, from: number, length: number): Promise<Buffer> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  }
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, from);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** Removes a log that a controller has stored; that it is gone already is fine. */
export async function removeLog(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** Removes the logs of attempts that nobody will ask for any more. */
export async function removeLogsExcept(
  folder: string,
  wanted: (id: string) => boolean,
): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name.endsWith('.log') && !wanted(name.slice(0, -4))) await removeLog(join(folder, name));
  }
}
