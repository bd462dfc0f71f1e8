import { AsyncLocalStorage } from 'node:async_hooks';
import type { AttemptLog } from './attempt-log.ts';

/** An attempt under way in the host. */
export interface Hosted {
  readonly id: string;
  readonly log: AttemptLog;
  readonly abort: AbortController;
}

/** Whose code is running. */
export const current = new AsyncLocalStorage<Hosted>();

/** What a module prints goes to the output of its attempt; the rest to this process's own. */
export function capturePrinting(): void {
  for (const stream of [process.stdout, process.stderr]) {
    const own = stream.write.bind(stream) as (...all: unknown[]) => boolean;
    const write = (chunk: string | Uint8Array, ...more: unknown[]): boolean => {
      const hosted = current.getStore();
      if (hosted === undefined) return own(chunk, ...more);
      hosted.log.write(chunk);
      const done = more.find((each) => typeof each === 'function') as (() => void) | undefined;
      if (done !== undefined) process.nextTick(done);
      return true;
    };
    stream.write = write as typeof stream.write;
  }
}
