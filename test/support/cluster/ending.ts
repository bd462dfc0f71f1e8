import { readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { Cgroup, cgroupPathHere } from '@understudy/agent/executor/cgroup';
import type { Postgres } from '@understudy/scripts/postgres/start';
import { eventually } from './eventually.ts';
import type { Owner } from './owner.ts';
import { processesIn, processesMarked, signal } from './proc.ts';
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

/**
 * Ends PostgreSQL and every process of it. One that a test has stopped hears of nothing but SIGKILL, and would
 * outlive its postmaster for good.
 */
export async function endPostgres(
  postgres: Pick<Postgres, 'pid' | 'dataDir' | 'kill'>,
): Promise<void> {
  const { pid, dataDir } = postgres;
  for (const each of processesIn(dataDir)) {
    if (each.state === 'T' && each.pid !== pid) signal(each.pid, 'SIGKILL');
  }
  if (pid !== null) signal(pid, 'SIGCONT');
  await postgres.kill();
  await eventually(
    () => {
      const left = processesIn(dataDir).filter(({ state }) => !/[ZX]/.test(state));
      for (const each of left) signal(each.pid, 'SIGKILL');
      return left.length === 0 ? true : null;
    },
    { what: `the processes of PostgreSQL in ${dataDir} to end` },
  );
}

/** Removes the cgroups of agents that were killed and could not do so themselves. */
export async function removeCgroups(folder: string): Promise<void> {
  const names = readdirSync(folder).filter((each) => each.endsWith('.data'));
  for (const name of names) {
    const path = cgroupPathHere(realpathSync(join(folder, name)));
    if (path !== null) await Cgroup.remove(path);
  }
}

/** Shows the end of each log when the test has failed. */
export function showLogs(t: Owner, folder: string, names: readonly string[]): void {
  if (t.passed) return;
  for (const name of names) {
    t.log(`--- the end of ${name}.log\n${lastLines(folder, `${name}.log`, LOG_LINES)}`);
  }
}
