import { randomUUID } from 'node:crypto';
import { mergeChanges } from '@understudy/controller/store/changes';
import { WriterLane } from '@understudy/controller/store/lane';
import { writeBatch } from '@understudy/controller/store/write-batch';
import test from 'ava';
import { serverFor } from '../support/store.ts';

const prepared = serverFor(test);

const happened = (subject: string) =>
  ({ at: 1, kind: 'job-applied', subject, message: `${subject} was changed`, facts: {} }) as const;

test('a batch whose COMMIT was not answered is written again, and its events are recorded once', async (t) => {
  const store = await prepared(t);
  const { database, schema, pair } = store;
  const lane = new WriterLane({ database, schema, pair, node: 'a' });
  t.teardown(() => lane.close());
  const write = (batch: ReturnType<typeof mergeChanges>) =>
    lane.transaction({ term: 0n, timeoutMs: 10_000, mayCommit: async () => undefined }, (execute) =>
      writeBatch(batch, { pair, term: 0n }, execute),
    );
  const batch = mergeChanges([{ events: [happened('x'), happened('y')] }], randomUUID());
  const first = await write(batch);
  await write(mergeChanges([{ events: [happened('z')] }], randomUUID()));
  const again = await write(batch);
  t.deepEqual(again.events, first.events, 'with the numbers that they have');
  const client = await store.connect();
  const { rows } = await client.query('select subject from event order by seq');
  t.deepEqual(
    rows.map((row) => row.subject),
    ['x', 'y', 'z'],
  );
});
