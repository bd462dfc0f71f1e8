import { openSync, writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ModuleContext } from '@understudy/agent/host/call-module';
import type { JobInput } from '@understudy/shared/protocol/api';

/** What goes behind the numbers, so that a line has some length. */
const FILLER = 'what a run has said is kept byte by byte '.repeat(8).trim();

/** The line of that number, from 1 on, that an attempt writes. */
export function lineOf(run: string, attempt: number, number: number): string {
  return `${run} ${attempt} ${number} ${FILLER}\n`;
}

/** All that an attempt writes first. */
export function linesUntil(run: string, attempt: number, count: number): string {
  return Array.from({ length: count }, (_, index) => lineOf(run, attempt, index + 1)).join('');
}

/** How much a run works, as its parameters. */
export interface Amount {
  readonly LINES: string;
  /** Seconds before the next line. */
  readonly EVERY: string;
}

/**
 * The work of a run in a module host. It tells two files beside its output, to which all runs append: that it has
 * begun, and after each line that it has written it.
 */
export async function writeLines(context: ModuleContext): Promise<void> {
  const { run, attempt, parameters, env, log, signal } = context;
  const { LINES = '0', EVERY = '0' } = parameters;
  const { STARTS = '', WRITTEN = '' } = env;
  writeSync(opened(STARTS), `${run} ${attempt} ${process.pid}\n`);
  for (let number = 1; number <= Number(LINES); number += 1) {
    log(lineOf(run, attempt, number).trimEnd());
    writeSync(opened(WRITTEN), `${run} ${attempt} ${number}\n`);
    await pause(Number(EVERY) * 1_000, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
  }
}

const files = new Map<string, number>();

function opened(path: string): number {
  const file = files.get(path) ?? openSync(path, 'a');
  files.set(path, file);
  return file;
}

/** The same work as a program of its own. */
const SCRIPT = `me="$UNDERSTUDY_RUN $UNDERSTUDY_ATTEMPT"
echo "$me $$" >> "$STARTS"
i=1
while [ $i -le $LINES ]; do
  echo "$me $i $FILLER"
  echo "$me $i" >> "$WRITTEN"
  i=$((i+1))
  sleep $EVERY
done`;

/** The jobs, by the names of which one can tell how they are delivered. */
export const jobNames = ['module-once', 'module-again', 'command-once', 'command-again'] as const;
export type WorkName = (typeof jobNames)[number];

export function isAtMostOnce(job: string): boolean {
  return job.endsWith('-once');
}

/** A job of that name, whose runs tell these two files. */
export function jobOf(name: WorkName, files: { STARTS: string; WRITTEN: string }): JobInput {
  const work = name.startsWith('module')
    ? { module: { path: fileURLToPath(import.meta.url), export: 'writeLines' }, env: files }
    : { command: ['sh', '-c', SCRIPT], env: { ...files, FILLER } };
  const delivery = isAtMostOnce(name) ? 'at-most-once' : 'at-least-once';
  return { name, ...work, delivery, retries: { limit: 5, delayMs: 100 } };
}
