import { chownSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import pg from 'pg';
import { DAY_MS, put, TestAuthority } from '../support/certificates.ts';
import { eventually, faultLasts } from '../support/cluster/eventually.ts';
import { type Cluster, makeCluster, termOf } from '../support/cluster.ts';

test('F72: when the certificate of the database has expired nobody moves, and who connects anew learns why', async (t) => {
  const cluster = await makeCluster(t, { host: { failover: { target: '4s' } }, agents: [] });
  const authority = await TestAuthority.make('store');
  t.teardown(() => authority.remove());
  await present(cluster, authority, 200 * DAY_MS);
  await cluster.query('alter system set ssl = on');
  const url = await verified(cluster, authority);
  const before = await cluster.start();
  const [found] = await cluster.query<{ count: string }>(
    `select count(*) from pg_stat_ssl join pg_stat_activity using (pid)
      where ssl and application_name like 'understudy%'`,
  );
  t.true(Number(found?.count) > 4, 'what the pair says to its database is encrypted');

  await present(cluster, authority, -DAY_MS);
  await eventually(async () => ((await whyRefused(url)) === 'CERT_HAS_EXPIRED' ? true : null), {
    what: 'a new connection to be refused',
  });
  await faultLasts(3 * before.activeStatus.timings.ttlMs);
  const status = await cluster.activeOn(before.active.node);
  t.is(termOf(status), termOf(before.activeStatus));
  t.false(status.failsafe, 'the connections that live are as good as before');
  await cluster.client.putJob({ name: 'late', command: ['true'] });

  await before.passive.stop();
  before.passive.start();
  const waiting = await before.passive.until('to say why it can not start', ({ notReady }) =>
    notReady.some((reason) => reason.includes('has expired')),
  );
  t.regex(waiting.notReady.join('; '), /its certificate has expired \(CERT_HAS_EXPIRED\)/);
  t.is(termOf(await cluster.activeOn(before.active.node)), termOf(before.activeStatus));

  await present(cluster, authority, 200 * DAY_MS);
  const after = await cluster.settled({ active: before.active.node });
  t.is(termOf(after.activeStatus), termOf(before.activeStatus));
});

/** From now on the database shows a certificate that is good for so long, to whoever connects. */
async function present(cluster: Cluster, authority: TestAuthority, forMs: number): Promise<void> {
  const [set] = await cluster.query<{ data_directory: string }>('show data_directory');
  const dataDir = set?.data_directory ?? '';
  const { key, certificate } = await authority.issue(authority.node('store'), { forMs });
  const { uid, gid } = statSync(join(dataDir, 'PG_VERSION'));
  for (const [name, text] of Object.entries({ 'server.key': key, 'server.crt': certificate })) {
    const path = join(dataDir, name);
    put(path, text);
    chownSync(path, uid, gid);
  }
  await cluster.query('select pg_reload_conf()');
}

/** Has all hosts connect over TLS, and verify whom they reach. Gives the URL. */
async function verified(cluster: Cluster, authority: TestAuthority): Promise<string> {
  await cluster.query('select pg_reload_conf()');
  const url = `${cluster.postgres.url}?sslmode=verify-full&sslrootcert=${authority.ca}`;
  await eventually(async () => ((await whyRefused(url)) === null ? true : null), {
    what: 'the database to speak TLS',
  });
  for (const { options } of cluster.hosts) {
    const config = JSON.parse(readFileSync(options.config, 'utf8'));
    writeFileSync(options.config, JSON.stringify({ ...config, database: url }));
  }
  return url;
}

/** Why a new connection is refused; null: it is not. */
async function whyRefused(url: string): Promise<string | null> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return null;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  } finally {
    await client.end();
  }
}
