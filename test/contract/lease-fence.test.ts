import { connectWritable } from '@understudy/shared/runtime/database';
import test, { type ExecutionContext } from 'ava';
import type pg from 'pg';
import { eventually } from '../support/cluster/eventually.ts';
import { type Change, openDecoding, stampedChanges } from '../support/decoding.ts';
import { staleChanges } from '../support/invariants/store.ts';
import { claimOf, grantTo, readRow } from './support/claims.ts';
import { fenceWithoutLock, fenceWithoutRowLock } from './support/mutants.ts';
import { type Store, serverFor } from './support/store.ts';
import { startWriter } from './support/writer.ts';
import { createWork, startWriters } from './support/writers.ts';

const PROMOTIONS = 25;
const WRITERS = 16;
/** B_evict. */
const EVICT_MS = 2_300;

const makeStore = serverFor(test);

test('F63: Sixteen writers commit nothing of an old term, and no promotion waits long for them', async (t) => {
  const { store, work, decoding } = await prepare(t);
  const { slowestMs, written } = await promoteUnderLoad(store);
  const changes = stampedChanges(await decoding.read());
  t.deepEqual(staleChanges(changes), []);
  // An evicted writer may not have heard of its last commit.
  t.true(changes.filter(({ table }) => table === 'work').length >= written);
  t.true(slowestMs <= EVICT_MS, `the slowest promotion took ${slowestMs} ms`);
  t.log(`${written} rows, ${PROMOTIONS} promotions, the slowest ${Math.round(slowestMs)} ms`);
  await work.end();
});

test('Mutant "fence without lock": sixteen writers are caught committing for an old term', async (t) => {
  const { store, work, decoding } = await prepare(t);
  await fenceWithoutLock(work);
  await promoteUnderLoad(store);
  t.not(staleChanges(stampedChanges(await decoding.read())).length, 0);
});

test('Above READ COMMITTED the row lock keeps out a snapshot older than the lock', async (t) => {
  const { store } = await prepare(t);
  t.regex(await writeWithOldSnapshot(store), /UF001|could not serialize/);
});

test('F71: whatever isolation the database prefers, each connection asks for READ COMMITTED', async (t) => {
  const { store, work } = await prepare(t);
  const name = new URL(store.database).pathname.slice(1);
  await work.query(`alter database ${name} set default_transaction_isolation to serializable`);
  const { database, schema } = store;
  const { client, destroy } = await connectWritable({ database, schema, applicationName: 'test' });
  const { rows } = await client.query<{ is: string }>(
    "select current_setting('transaction_isolation') as is",
  );
  destroy();
  t.is(rows[0]?.is, 'read committed');
});

test('Mutant "fence without row lock": an old snapshot lets an old term through', async (t) => {
  const { store, work } = await prepare(t);
  await fenceWithoutRowLock(work);
  t.is(await writeWithOldSnapshot(store), 'fenced');
});

test('F62: A stopped writer with an open transaction is evicted, and its commit fails', async (t) => {
  const { store, work, decoding } = await prepare(t);
  const [a, b] = [store.node('a'), store.node('b')];
  const { term } = await grantTo('a', a);
  const writer = await startWriter(t, store);
  await writer.execute('begin');
  await writer.execute(`select fence('${store.pair}', ${term})`);
  t.regex(await writer.execute(`insert into work (term) values (${term})`), /^done/);
  writer.signal('SIGSTOP');
  const observed = await readRow(b);
  const before = performance.now();
  const answer = await b.claim(claimOf('b', b, observed, { basis: 'testified' }));
  const tookMs = performance.now() - before;
  t.is(answer.kind, 'granted');
  t.true(tookMs <= EVICT_MS, `the promotion took ${tookMs} ms`);
  writer.signal('SIGCONT');
  t.regex(await writer.execute('commit'), /^failed/);
  t.is((await work.query('select from work')).rowCount, 0);
  t.deepEqual(staleChanges(stampedChanges(await decoding.read())), []);
});

test('F2: A statement whose client was killed while it waited for a row does not commit later', async (t) => {
  t.deepEqual(await killWhileWaiting(t), []);
});

test('Mutant "fence without lock": the statement of a killed client commits after the next grant', async (t) => {
  const late = await killWhileWaiting(t, fenceWithoutLock);
  t.deepEqual(
    late.map(({ table }) => table),
    ['item'],
  );
});

test('A writer is told which term is the current one', async (t) => {
  const { store, work } = await prepare(t);
  const { term } = await grantTo('a', store.node('a'));
  const error = await t.throwsAsync(work.query('select fence($1, $2)', [store.pair, term + 1n]));
  t.like(error, {
    code: 'UF001',
    message: `term ${term + 1n} of pair "${store.pair}" is over: the term is ${term}`,
  });
});

async function prepare(t: ExecutionContext) {
  const store = await makeStore(t);
  const work = await store.connect();
  await createWork(work);
  const decoding = await openDecoding(store.database);
  t.teardown(() => decoding.close());
  return { store, work, decoding };
}

/** Two nodes take the lease from each other in turn, while writers write. */
async function promoteUnderLoad(store: Store): Promise<{ slowestMs: number; written: number }> {
  const nodes = ['a', 'b'].map((name) => ({ name, lease: store.node(name) }));
  const writers = await startWriters(store, WRITERS);
  let slowestMs = 0;
  for (let promotion = 0; promotion < PROMOTIONS; promotion += 1) {
    const { name, lease } = nodes[promotion % 2] ?? never();
    const before = writers.committed();
    const started = performance.now();
    await grantTo(name, lease);
    slowestMs = Math.max(slowestMs, performance.now() - started);
    await eventually(() => (writers.committed() >= before + WRITERS ? true : null), {
      what: 'the writers to go on under the new term',
      everyMs: 5,
    });
  }
  await writers.stop();
  return { slowestMs, written: writers.committed() };
}

/**
 * A client is killed while its statement waits for a row, and the lease is granted anew; then the row
 * becomes free. Gives what was committed after the grant.
 */
async function killWhileWaiting(
  t: ExecutionContext,
  mutate: (client: pg.Client) => Promise<void> = async () => undefined,
): Promise<Change[]> {
  const { store, work, decoding } = await prepare(t);
  await mutate(work);
  const { term } = await grantTo('a', store.node('a'));
  await work.query('create table item (id int primary key, term bigint not null)');
  await work.query(`insert into item values (1, ${term})`);
  const blocker = await store.connect();
  await blocker.query('begin');
  await blocker.query('select from item where id = 1 for update');
  const writer = await startWriter(t, store);
  // One message, so that the server needs nothing more from the client in order to commit.
  const statement =
    `begin; select fence('${store.pair}', ${term}); ` +
    `update item set term = ${term} where id = 1; commit`;
  void writer.execute(statement);
  await eventually(async () => ((await waiting(work)) > 0 ? true : null), {
    what: 'the statement to wait for the row',
  });
  await writer.kill();
  await grantTo('b', store.node('b'));
  await decoding.read();
  await blocker.query('rollback');
  await untilNobodyWorks(work);
  return decoding.read();
}

/** A transaction whose snapshot is from before a promotion fences its old term after it. */
async function writeWithOldSnapshot(store: Store): Promise<string> {
  const [a, b] = [store.node('a'), store.node('b')];
  const { term } = await grantTo('a', a);
  const client = await store.connect();
  await client.query('begin isolation level repeatable read');
  await client.query('select from work');
  await grantTo('b', b);
  try {
    await client.query('select fence($1, $2)', [store.pair, term.toString()]);
    return 'fenced';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function untilNobodyWorks(client: pg.Client): Promise<void> {
  await eventually(
    async () => {
      const { rowCount } = await client.query(
        "select from pg_stat_activity where datname = current_database() and state = 'active' and pid <> pg_backend_pid()",
      );
      return rowCount === 0 ? true : null;
    },
    { what: 'every other statement to end' },
  );
}

async function waiting(client: pg.Client): Promise<number> {
  const { rowCount } = await client.query(
    `select from pg_stat_activity
     where datname = current_database() and wait_event_type = 'Lock' and wait_event = 'transactionid'`,
  );
  return rowCount ?? 0;
}

function never(): never {
  throw new Error('there are two nodes');
}
