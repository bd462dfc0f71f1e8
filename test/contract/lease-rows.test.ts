import { silentLog } from '@understudy/shared/runtime/log';
import { migrate } from '@understudy/shared/runtime/migrate';
import { readSchemaVersion } from '@understudy/shared/runtime/schema-version';
import test from 'ava';
import pg from 'pg';
import { eventually } from '../support/cluster/eventually.ts';
import { claimOf, grantTo, readRow } from './support/claims.ts';
import { serverFor } from './support/store.ts';

const makeStore = serverFor(test);

test('F69: Values that make no sense are refused by the table', async (t) => {
  const store = await makeStore(t);
  await grantTo('a', store.node('a'));
  const client = await store.connect();
  for (const change of [
    'term = -1',
    "expires_at = 'infinity'",
    "holder = ''",
    'holder = null',
    'incarnation = null',
    'renew_seq = -1',
    'ttl_ms = 0',
    'released = null',
    'term = null',
  ]) {
    const error = await t.throwsAsync(
      client.query(`update lease set ${change}`),
      undefined,
      change,
    );
    t.regex(
      String((error as { code?: string } | undefined)?.code),
      /^(23514|23502|UF002)$/,
      change,
    );
  }
});

test('A term never falls, whoever writes it', async (t) => {
  const store = await makeStore(t);
  await grantTo('a', store.node('a'), { highestTerm: 41n });
  const client = await store.connect();
  for (const table of ['lease', 'fence']) {
    await t.throwsAsync(client.query(`update ${table} set term = 41`), {
      message: 'the term of pair "orders" is 42 and cannot fall to 41',
    });
  }
});

for (const table of ['lease', 'fence']) {
  test(`After TRUNCATE of ${table} nothing is granted until the pair is repaired`, async (t) => {
    const store = await makeStore(t);
    const [a, b] = [store.node('a'), store.node('b')];
    const granted = await grantTo('a', a);
    const held = { term: granted.term, incarnation: a.incarnation };
    const client = await store.connect();
    await client.query(`truncate ${table}`);
    const answer = await b.claim(claimOf('b', b, granted, { basis: 'testified' }));
    t.is(answer.kind, 'failed');
    t.regex(answer.kind === 'failed' ? answer.error : '', /run `understudy create`/);

    await client.query('select prepare_pair($1)', [store.pair]);
    await client.query('select prepare_pair($1)', [store.pair]);
    t.is((await a.renew(held)).kind, 'granted', 'the holder goes on');
    await client.query('select fence($1, $2)', [store.pair, granted.term.toString()]);
    t.true((await grantTo('b', b)).term > granted.term);
  });
}

test('F124: A controller needs only SELECT and the right to fence, and can do nothing else', async (t) => {
  const store = await makeStore(t);
  const { term } = await grantTo('a', store.node('a'));
  const owner = await store.connect();
  const role = `controller_${Math.random().toString(36).slice(2)}`;
  await owner.query(`create role ${role} login password 'secret'`);
  await owner.query(`grant usage on schema understudy to ${role}`);
  await owner.query(`grant select on all tables in schema understudy to ${role}`);
  const url = new URL(store.database);
  url.username = role;
  url.password = 'secret';
  const options = '-c search_path=understudy';
  const client = new pg.Client({ connectionString: url.href, options });
  await client.connect();
  await client.query('select fence($1, $2)', [store.pair, term.toString()]);
  for (const statement of [
    'update lease set released = true',
    'update fence set term = term + 1',
    "select lease_release('orders', 1, 'x')",
    "select lease_claim('orders', 'c', 'c', 'testified', 1, 0, 1, 0, 1000, '', false)",
    "select prepare_pair('orders')",
    "select evict_writers('orders')",
  ]) {
    await t.throwsAsync(client.query(statement), { message: /permission denied/ }, statement);
  }
  await client.end();
});

test('Preparing the database can be repeated, also by two at once', async (t) => {
  const store = await makeStore(t);
  const options = { database: store.database, schema: 'another one', log: silentLog };
  t.is((await readSchemaVersion(options)).state, 'missing');
  const versions = await Promise.all([migrate(options), migrate(options)]);
  versions.push(await migrate(options), await readSchemaVersion(options));
  for (const { state } of versions) t.is(state, 'current');
});

test('F118: A schema that a newer version has migrated is ahead, and is left alone', async (t) => {
  const store = await makeStore(t);
  const client = await store.connect();
  await client.query("insert into migration (name, run_on) values ('9999_of_the_future', now())");
  const { database, schema } = store;
  t.like(await readSchemaVersion({ database, schema }), {
    state: 'ahead',
    applied: '9999_of_the_future',
  });
  t.is((await migrate({ database, schema, log: silentLog })).state, 'ahead');
});

test('F70: A migration does not queue behind a long transaction, it tries again', async (t) => {
  const store = await makeStore(t);
  const blocker = await store.connect();
  await blocker.query('begin');
  await blocker.query('lock table migration in access exclusive mode');
  const { database, schema } = store;
  let warnings = 0;
  const warn = () => {
    warnings += 1;
  };
  const migrating = migrate({ database, schema, log: { ...silentLog, warn } });
  await eventually(() => warnings || null, { what: 'the migration to try again' });
  await blocker.query('rollback');
  t.is((await migrating).state, 'current');
});

test('F73: Renewals go on under a snapshot that keeps every old version of the row', async (t) => {
  const store = await makeStore(t);
  const a = store.node('a');
  const held = { term: (await grantTo('a', a)).term, incarnation: a.incarnation };
  const old = await store.connect();
  await old.query('begin isolation level repeatable read');
  await old.query('select from lease');
  for (let count = 0; count < 500; count += 1) {
    t.is((await a.renew(held)).kind, 'granted');
  }
  t.is((await readRow(a)).renewSeq, 500n);
});

test('A grant outlives a crash of the server, whatever the database is set to', async (t) => {
  const store = await makeStore(t);
  const client = await store.connect();
  const { rows } = await client.query<{ name: string }>('select current_database() as name');
  const database = client.escapeIdentifier(rows[0]?.name ?? '');
  await client.query(`alter database ${database} set synchronous_commit = off`);
  const inserted = await store.connect();
  await inserted.query(`
    create function note_setting() returns trigger language plpgsql as $$
    begin
      new.evidence := current_setting('synchronous_commit');
      return new;
    end
    $$;
    create trigger note before insert on tenure_history
      for each row execute function note_setting()`);
  await grantTo('a', store.node('a'));
  const history = await inserted.query('select evidence from tenure_history');
  t.deepEqual(history.rows, [{ evidence: 'on' }]);
});
