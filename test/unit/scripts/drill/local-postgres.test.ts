import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findLocalPostgres } from '@understudy/scripts/drill/local-postgres';
import test, { type ExecutionContext } from 'ava';

const DATABASE = 'postgres://u:p@127.0.0.1:7432/d';

function systemWith(t: ExecutionContext, lock: string | null): string {
  const folder = mkdtempSync(join(tmpdir(), 'understudy-drill-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, 'postgres', 'cluster'), { recursive: true });
  if (lock !== null) writeFileSync(join(folder, 'postgres', 'cluster', 'postmaster.pid'), lock);
  return join(folder, 'a.yaml');
}

test('a database that is not the one of a one-machine system is never stopped', (t) => {
  const lockOf = (pid: number, port: number) => `${pid}\n/data\n1\n${port}\n`;
  for (const [file, database, why] of [
    [null, DATABASE, /no configuration file/],
    [systemWith(t, null), DATABASE, /is not the data of a PostgreSQL that runs/],
    [systemWith(t, 'nonsense'), DATABASE, /is not the data of a PostgreSQL that runs/],
    // A left-over lock whose pid is another process by now: this one.
    [systemWith(t, lockOf(process.pid, 7_432)), DATABASE, /is not the one in/],
    [systemWith(t, lockOf(process.pid, 7_432)), 'postgres://u:p@db1:7432/d', /is not the one in/],
  ] as const) {
    const error = t.throws(() => findLocalPostgres(file, database), { message: why });
    t.regex(error?.message ?? '', /done only on the one-machine system/);
  }
});
