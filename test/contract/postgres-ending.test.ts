import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres } from '@understudy/scripts/postgres/start';
import test from 'ava';
import pg from 'pg';
import { endPostgres } from '../support/cluster/ending.ts';
import { takePort } from '../support/cluster/ports.ts';
import { childrenOf, processesIn, signal } from '../support/cluster/proc.ts';

test('F58: a database whose processes a test has stopped is ended with all of them', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'understudy-ending-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const dataDir = join(folder, 'postgres');
  const postgres = await startPostgres({ dataDir, port: await takePort() });
  t.teardown(() => endPostgres(postgres));
  const client = new pg.Client({ connectionString: postgres.url });
  client.on('error', () => undefined);
  await client.connect();
  const { pid } = postgres;
  if (pid === null) throw new Error('PostgreSQL does not run');
  const frozen = [pid, ...childrenOf(pid)];
  t.true(frozen.length > 3);
  for (const each of frozen) signal(each, 'SIGSTOP');
  await endPostgres(postgres);
  t.deepEqual(processesIn(dataDir), []);
  t.is(postgres.pid, null);
});
