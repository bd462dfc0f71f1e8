import test from 'ava';
import { eventually } from '../support/cluster/eventually.ts';
import { openDecoding, stampedChanges } from '../support/decoding.ts';
import { staleChanges } from '../support/invariants/store.ts';
import { claimOf, grantTo, readRow } from './support/claims.ts';
import { serverFor } from './support/store.ts';
import { startWriter } from './support/writer.ts';
import { createWork } from './support/writers.ts';

/** B_evict. */
const EVICT_MS = 2_300;

/** It waits for a replica that never comes, for whoever asks for that. */
const makeStore = serverFor(test, {
  settings: { synchronous_standby_names: 'nobody', synchronous_commit: 'local' },
});

test('F64: a writer that is evicted while its COMMIT waits for a replica has committed before the grant, never after', async (t) => {
  const store = await makeStore(t);
  const work = await store.connect();
  await createWork(work);
  const decoding = await openDecoding(store.database);
  t.teardown(() => decoding.close());
  const [a, b] = [store.node('a'), store.node('b')];
  const { term } = await grantTo('a', a);
  const writer = await startWriter(t, store);
  await writer.execute('begin');
  await writer.execute(`select fence('${store.pair}', ${term})`);
  t.regex(await writer.execute(`insert into work (term) values (${term})`), /^done/);
  await writer.execute('set local synchronous_commit to on');
  const committing = writer.execute('commit');
  const waiting = "select pid from pg_stat_activity where wait_event = 'SyncRep'";
  await eventually(async () => ((await work.query(waiting)).rowCount === 1 ? true : null), {
    what: 'the COMMIT to wait for its replica',
  });
  t.is((await work.query('select from work')).rowCount, 0, 'nobody sees it yet');

  const before = performance.now();
  const answer = await b.claim(claimOf('b', b, await readRow(b), { basis: 'testified' }));
  const tookMs = performance.now() - before;
  t.is(answer.kind, 'granted');
  t.true(tookMs <= EVICT_MS, `the promotion took ${tookMs} ms`);
  t.regex(await committing, /^failed/, 'its outcome is unknown to the writer');
  t.is((await work.query('select from work')).rowCount, 1);
  const changes = stampedChanges(await decoding.read());
  t.deepEqual(staleChanges(changes), []);
  const [written, granted] = [
    changes.findIndex(({ table }) => table === 'work'),
    changes.findLastIndex(({ table }) => table === 'fence'),
  ];
  t.true(written >= 0 && written < granted, 'in commit order');
});
