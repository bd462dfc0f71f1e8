import { eventually } from './eventually.ts';
import type { Owner } from './owner.ts';
import { processesMarked, signal } from './proc.ts';
import { lastLines } from './program.ts';

const LOG_LINES = 60;

/** Ends every process of a pair, whoever started it, and waits until they are gone. */
export async function endAll(pair: string): Promise<void> {
  await eventually(
    () => {
      const left = processesMarked(pair).filter(({ pid }) => pid !== process.pid);
      for (const { pid } of left) signal(pid, 'SIGKILL');
      return left.length === 0 ? true : null;
    },
    { what: `the processes of ${pair} to end` },
  );
}

/** Shows the end of each log when the test has failed. */
export function showLogs(t: Owner, folder: string, names: readonly string[]): void {
  if (t.passed) return;
  for (const name of names) {
    t.log(`--- the end of ${name}.log\n${lastLines(folder, `${name}.log`, LOG_LINES)}`);
  }
}
