import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UserError } from '@understudy/shared/runtime/errors';
import { startPostgres } from '../../../postgres/start.ts';
import type { WorkOptions } from '../measure.ts';

/** Gives a PostgreSQL of its own, with its usual durability, to what is measured. */
export async function onPostgres<T>(
  options: WorkOptions,
  use: (url: string) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'understudy-work-'));
  const starting = startPostgres({ dataDir: join(folder, 'postgres') });
  const close = async () => {
    await (await starting).stop().catch(() => undefined);
    rmSync(folder, { recursive: true, force: true });
  };
  options.open.add(close);
  try {
    return await use((await starting).url);
  } finally {
    await close().finally(() => options.open.delete(close));
  }
}

/** Counts jobs that are done, and tells when all of them are. */
export class Countdown {
  #left = 0;
  #done: () => void = () => undefined;

  /** Resolves when so many more jobs are done; rejects when that takes too long. */
  async of(count: number, withinMs: number): Promise<void> {
    this.#left = count;
    let limit: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#done = resolve;
        const late = () => reject(new UserError(`${this.#left} of ${count} jobs were not done`));
        limit = setTimeout(late, withinMs);
      });
    } finally {
      clearTimeout(limit);
    }
  }

  one(): void {
    this.#left -= 1;
    if (this.#left === 0) this.#done();
  }
}

export const JOBS_WITHIN_MS = 300_000;
