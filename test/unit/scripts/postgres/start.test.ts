import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isPortFree } from '@understudy/scripts/postgres/port';
import { startPostgres } from '@understudy/scripts/postgres/start';
import test from 'ava';
import pg from 'pg';

const folder = mkdtempSync(join(tmpdir(), 'understudy-postgres-'));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

test('PostgreSQL starts, keeps what was committed through a crash, and stops', async (t) => {
  const postgres = await startPostgres({ dataDir: join(folder, 'data') });
  await query(postgres.url, 'create table kept as select 42 as answer');
  await postgres.kill();
  t.is(postgres.pid, null);
  t.true(await isPortFree(postgres.port));
  await postgres.restart();
  t.deepEqual(await query(postgres.url, 'select answer from kept'), [{ answer: 42 }]);
  const [settings] = await query(
    postgres.url,
    "select current_setting('wal_level') as wal, current_setting('max_prepared_transactions') as prepared, current_setting('fsync') as fsync",
  );
  t.deepEqual(settings, { wal: 'logical', prepared: '0', fsync: 'on' });
  const other = await postgres.createDatabase('other');
  t.deepEqual(await query(other, 'select current_database() as name'), [{ name: 'other' }]);
  const wrong = new URL(postgres.url);
  wrong.password = 'wrong';
  await t.throwsAsync(query(wrong.href, 'select 1'), { message: /password/ });
  await postgres.stop();
  t.true(await isPortFree(postgres.port));
});

test('a port in use is named before anything is started', async (t) => {
  const first = await startPostgres({ dataDir: join(folder, 'first'), settings: { fsync: 'off' } });
  await t.throwsAsync(startPostgres({ dataDir: join(folder, 'second'), port: first.port }), {
    name: 'UserError',
    message: new RegExp(`port ${first.port} of 127.0.0.1, for PostgreSQL, is in use`),
  });
  await first.stop();
});

test('a data folder that is incomplete is named, with what to do', async (t) => {
  const dataDir = join(folder, 'broken');
  const postgres = await startPostgres({ dataDir, settings: { fsync: 'off' } });
  await postgres.stop();
  rmSync(join(dataDir, 'cluster', 'PG_VERSION'));
  await t.throwsAsync(startPostgres({ dataDir }), {
    name: 'UserError',
    message:
      /broken is incomplete: .*PG_VERSION is missing; put it back, or remove the whole folder/,
  });
});
