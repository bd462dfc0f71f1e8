import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';

/** What a process of a test wrote down. `at` is nanoseconds of the host's one monotonic clock. */
export type Recorded<T> = T & { readonly at: bigint };

/** An append-only file of what one process saw, one JSON object a line. */
export interface History<T extends object> {
  /** Written before it returns: `kill -9` right after loses nothing. */
  record(event: T): void;
  close(): void;
}

/** Opens a history for appending. A bigint is written as a decimal string. */
export function openHistory<T extends object>(path: string): History<T> {
  const descriptor = openSync(path, 'a');
  return {
    record: (event) => {
      writeSync(descriptor, `${toLine({ at: process.hrtime.bigint(), ...event })}\n`);
    },
    close: () => closeSync(descriptor),
  };
}

/** Merges histories of one host: the clock is the same everywhere, so merging is a sort. */
export function readHistories<T extends object>(
  paths: readonly string[],
  parse: (line: Record<string, unknown>) => T,
): Recorded<T>[] {
  return paths
    .flatMap((path) => completeLines(readFileSync(path, 'utf8')))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .map((line) => ({ ...parse(line), at: BigInt(String(line['at'])) }))
    .toSorted((a, b) => (a.at < b.at ? -1 : 1));
}

function toLine(event: object): string {
  return JSON.stringify(event, (_key, value: unknown) =>
    typeof value === 'bigint' ? value.toString() : value,
  );
}

/** The last line may be cut short by the end of its process. */
function completeLines(text: string): string[] {
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line !== '');
}
