import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makePostgresLease } from '@understudy/heartbeat/lease/postgres';
import { type Postgres, startPostgres } from '@understudy/scripts/postgres/start';
import { makePool } from '@understudy/shared/runtime/database';
import { silentLog } from '@understudy/shared/runtime/log';
import test, { type ExecutionContext } from 'ava';
import { eventually } from '../support/cluster/eventually.ts';
import { claimOf, grantTo, type NodeLease, readRow } from './support/claims.ts';
import { withoutTimeline } from './support/mutants.ts';
import { prepareStore, type Store } from './support/store.ts';

const SECOND_TIMELINE = 1n << 40n;

test('F65, F68: A promoted replica that missed grants gives out none of their terms again', async (t) => {
  const { store, primary, copy } = await prepare(t);
  const before = await grantTo('a', store.node('a'));
  await copy();
  const lost = await grantTo('b', store.node('b'));
  t.is(lost.term, before.term + 1n);
  await primary.kill();
  const { replica, promote } = await startCopy(t, store);

  const b = store.node('b', { port: replica.port });
  t.is((await b.read()).kind, 'failed', 'a replica is like a store that is away');
  await promote();
  const row = await eventually(() => readRow(b), { what: 'the promoted replica to take writes' });
  t.is(row.timeline, 2);
  t.is(row.term, before.term, 'the last grant is lost');

  const observed = { ...row, timeline: 1 };
  const outdated = await b.claim(claimOf('b', b, observed, { basis: 'testified' }));
  t.like(outdated, {
    kind: 'refused',
    why: 'the store has failed over since the lease was observed',
  });
  const testified = await b.claim(claimOf('b', b, row, { basis: 'testified' }));
  t.like(testified, {
    kind: 'refused',
    why: 'the lease was held on another timeline of the store',
  });
  const next = await grantTo('b', b, { basis: 'silence', evenIfNotExpired: true });
  t.true(next.term > lost.term);
  t.true(next.term > SECOND_TIMELINE);
  t.is((await grantTo('a', b)).term, next.term + 1n, 'the timeline is counted in once');
});

test('F66: A release does not survive the fail-over of the store', async (t) => {
  const { store, primary, copy } = await prepare(t);
  const a = store.node('a');
  const { term } = await grantTo('a', a);
  await a.release({ term, incarnation: a.incarnation });
  t.true((await readRow(a)).released);
  await copy();
  // What the copy does not know: somebody took the released lease, and may still hold it.
  await grantTo('b', store.node('b'), { basis: 'released' });
  await primary.kill();
  const { replica, promote } = await startCopy(t, store);
  await promote();

  const c = store.node('c', { port: replica.port });
  const row = await eventually(() => readRow(c), { what: 'the promoted replica to take writes' });
  t.false(row.released);
  const answer = await c.claim(claimOf('c', c, row));
  t.like(answer, {
    kind: 'refused',
    why: 'the lease was released on another timeline of the store',
  });
});

test('F66: A holder can let go of its lease only where it has renewed since the fail-over', async (t) => {
  const { store, primary, copy } = await prepare(t);
  const before = store.node('a');
  const { term } = await grantTo('a', before);
  await copy();
  await primary.kill();
  const { replica, promote } = await startCopy(t, store);
  await promote();

  const held = { term, incarnation: before.incarnation };
  const a = store.node('a', { port: replica.port });
  await eventually(() => readRow(a), { what: 'the promoted replica to take writes' });
  t.is((await a.release(held)).kind, 'refused', 'somebody may have held it since, and may serve');
  t.is((await a.renew(held)).kind, 'granted');
  t.is((await a.release(held)).kind, 'released');
  t.true((await readRow(a)).released);
});

test('Mutant "no timeline": a promoted replica honours a lost release and gives a term again', async (t) => {
  const { store, primary, copy } = await prepare(t);
  await withoutTimeline(await store.connect());
  const a = store.node('a');
  const { term } = await grantTo('a', a);
  await a.release({ term, incarnation: a.incarnation });
  await copy();
  const lost = await grantTo('b', store.node('b'), { basis: 'released' });
  await primary.kill();
  const { replica, promote } = await startCopy(t, store);
  await promote();
  const c = store.node('c', { port: replica.port });
  await eventually(() => readRow(c), { what: 'the promoted replica to take writes' });
  t.is((await grantTo('c', c, { basis: 'released' })).term, lost.term);
});

test('F65: Of several hosts the writable one is used, also after it has changed', async (t) => {
  const { store, primary, copy } = await prepare(t);
  await copy();
  const { replica, promote } = await startCopy(t, store);
  const lease = severalHosts(t, store, [replica.port, primary.port]);
  const row = await eventually(() => readRow(lease), { what: 'the primary' });
  t.is(row.timeline, 1);
  await primary.kill();
  await promote();
  const later = await eventually(() => readRow(lease), { what: 'the promoted replica' });
  t.is(later.timeline, 2);
});

test('F65: A pool on several hosts holds connections to the writable one', async (t) => {
  const { store, primary, copy } = await prepare(t);
  await copy();
  const { replica, promote } = await startCopy(t, store);
  const pool = makePool({
    database: urlOfSeveral(store, [replica.port, primary.port]),
    schema: store.schema,
    applicationName: 'test',
    max: 3,
  });
  pool.on('error', () => undefined);
  t.teardown(() => pool.end());
  const recovering = 'select pg_is_in_recovery() as recovering, inet_server_port() as port';
  const answers = await Promise.all([1, 2, 3].map(() => pool.query(recovering)));
  for (const { rows } of answers) t.deepEqual(rows, [{ recovering: false, port: primary.port }]);
  await primary.kill();
  await promote();
  const { rows } = await eventually(() => pool.query(recovering), { what: 'the other server' });
  t.deepEqual(rows, [{ recovering: false, port: replica.port }]);
});

interface Prepared {
  readonly store: Store;
  readonly primary: Postgres;
  /** Copies the server as it is now: what a replica that is cut off has. */
  copy(): Promise<void>;
}

async function prepare(t: ExecutionContext): Promise<Prepared> {
  const folder = mkdtempSync(join(tmpdir(), 'understudy-replica-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const primary = await startPostgres({
    dataDir: join(folder, 'primary'),
    settings: { fsync: 'off' },
  });
  t.teardown(() => primary.kill());
  const store = await prepareStore(primary, primary.url);
  t.teardown(() => store.close());
  return {
    store,
    primary,
    copy: async () => {
      await primary.stop();
      cpSync(primary.dataDir, replicaFolder(store), { recursive: true });
      writeFileSync(join(replicaFolder(store), 'cluster', 'standby.signal'), '');
      await primary.restart();
      await eventually(() => readRow(store.node('observer')), { what: 'the primary again' });
    },
  };
}

/** Starts the copy as a replica that hears nothing more from its primary. */
async function startCopy(t: ExecutionContext, store: Store) {
  const replica = await startPostgres({
    dataDir: replicaFolder(store),
    settings: { fsync: 'off' },
  });
  t.teardown(() => replica.kill());
  const promote = async () => {
    const client = await store.connect(replica.port);
    await client.query('select pg_promote(true, 60)');
    await client.end();
  };
  return { replica, promote };
}

function replicaFolder(store: Store): string {
  return join(store.server.dataDir, '..', 'replica');
}

function urlOfSeveral(store: Store, ports: readonly number[]): string {
  const hosts = ports.map((port) => `127.0.0.1:${port}`).join(',');
  const { username, password, pathname } = new URL(store.database);
  return `postgres://${username}:${password}@${hosts}${pathname}`;
}

function severalHosts(t: ExecutionContext, store: Store, ports: readonly number[]): NodeLease {
  const incarnation = 'one of several hosts';
  const lease = makePostgresLease({
    database: urlOfSeveral(store, ports),
    schema: store.schema,
    pair: store.pair,
    holder: { node: 'a', incarnation },
    identity: {
      heartbeatUrl: '',
      controllerUrl: '',
      version: '',
      bootId: '',
      pid: 1,
      pidStart: '',
    },
    callTimeoutMs: 10_000,
    log: silentLog,
  });
  t.teardown(() => lease.close());
  return { ...lease, incarnation };
}
