import { clientConfig, parseDatabaseUrl } from '@understudy/shared/runtime/database-url';
import { UserError } from '@understudy/shared/runtime/errors';
import test from 'ava';

test('A URL with several hosts becomes one URL for each', (t) => {
  const { servers } = parseDatabaseUrl(
    'postgres://u:p%40w@db1:5433,db2,[::1]:5434/understudy?sslmode=require&target_session_attrs=any',
  );
  t.deepEqual(
    servers.map(({ name, connectionString }) => [name, connectionString]),
    [
      ['db1:5433', 'postgres://u:p%40w@db1:5433/understudy?sslmode=require'],
      ['db2:5432', 'postgres://u:p%40w@db2/understudy?sslmode=require'],
      ['::1:5434', 'postgres://u:p%40w@[::1]:5434/understudy?sslmode=require'],
    ],
  );
});

test('A host may be the folder of a socket', (t) => {
  const inHost = parseDatabaseUrl('postgres://u@%2Frun%2Fpostgresql/db');
  t.is(inHost.servers[0]?.host, '/run/postgresql');
  const inQuery = parseDatabaseUrl('postgres://u@/db?host=/run/postgresql');
  t.is(inQuery.servers[0]?.host, '/run/postgresql');
});

for (const url of [
  'mysql://u:secret@h/db',
  'postgres://u:secret@h:port/db',
  'postgres://u:secret@h:70000/db',
  'u:secret@h',
]) {
  test(`${url} is refused without repeating the password`, (t) => {
    const error = t.throws(() => parseDatabaseUrl(url), { instanceOf: UserError });
    t.is(error?.exitCode, 78);
    t.notRegex(error?.message ?? '', /secret/);
  });
}

test("A connection's own settings come after those of the URL, and a schema may contain anything", (t) => {
  const url = parseDatabaseUrl('postgres://u@h/db?options=-c%20work_mem%3D8MB');
  const [server] = url.servers;
  if (server === undefined) return t.fail();
  const { options = '' } = clientConfig(url, server, {
    schema: 'my "own" schema',
    applicationName: 'test',
    lockTimeoutMs: 250,
  });
  t.true(options.startsWith('-c work_mem=8MB -c search_path="my\\ ""own""\\ schema",\\ pg_temp '));
  t.regex(options, / -c lock_timeout=250 /);
  t.regex(options, / -c tcp_user_timeout=5000$/);
});
