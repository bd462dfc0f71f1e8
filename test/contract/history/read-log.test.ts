import { randomBytes } from 'node:crypto';
import type { AttemptRecord, RunRecord } from '@understudy/controller/dispatch/run';
import { Reader } from '@understudy/controller/store/reader';
import { readLog } from '@understudy/controller/stream/log';
import test, { type ExecutionContext } from 'ava';
import { makeRun } from '../../unit/controller/make-run.ts';
import { serverFor } from '../support/store.ts';

const prepared = serverFor(test);
const RUN = '0197e0d2-7c00-7000-8000-000000000001';

function attempt(number: number, logBytes: number, state: AttemptRecord['state']): AttemptRecord {
  return {
    ...{ number, agent: 'w1', orderedTerm: 1n, state, orderedAt: 0, startedAt: 0, finishedAt: 0 },
    ...{ exitCode: 1, signal: null, reason: null, logBytes },
  };
}

/** A run whose attempts wrote these lengths, in pieces of every size; more can be written. */
async function written(t: ExecutionContext, lengths: readonly number[]) {
  const store = await prepared(t);
  const { database, schema, pair } = store;
  const client = await store.connect();
  const output = lengths.map((length) => randomBytes(length));
  for (const [index, bytes] of output.entries()) {
    for (
      let start = 0, size = 1;
      start < bytes.length;
      start += size, size = (size * 7) % 61 || 1
    ) {
      await client.query(
        'insert into run_log (run, attempt, start, data, pair, term) values ($1, $2, $3, $4, $5, 1)',
        [RUN, index + 1, start, bytes.subarray(start, start + size), pair],
      );
    }
  }
  const reader = new Reader({ database, schema, pair, node: 'a', onAway: () => undefined });
  t.teardown(() => reader.close());
  let run: RunRecord = makeRun({}, { id: RUN, state: 'failed', finishedAt: 1 });
  let changed: () => void = () => undefined;
  const parts = {
    reader,
    runs: { get: async () => run } as never,
    state: {
      onRun: (_id: string, listener: () => void) => {
        changed = listener;
        return () => undefined;
      },
    } as never,
  };
  return {
    bytes: Buffer.concat(output),
    be: (next: Partial<RunRecord>) => {
      run = { ...run, ...next };
      changed();
    },
    read: async (offset: number, follow = false) => {
      const { signal } = new AbortController();
      const pieces: Buffer[] = [];
      for await (const piece of readLog({ parts, run: RUN, offset, follow, signal }))
        pieces.push(piece);
      return Buffer.concat(pieces);
    },
  };
}

test('from any byte on the log is the same, inside a piece, at its edge, in any attempt, and beyond the end', async (t) => {
  const { bytes, be, read } = await written(t, [700, 0, 433]);
  be({ attempts: [attempt(1, 700, 'failed'), attempt(2, 0, 'failed'), attempt(3, 433, 'failed')] });
  for (let offset = 0; offset <= bytes.length + 2; offset += offset % 50 < 3 ? 1 : 7) {
    t.deepEqual(await read(offset), bytes.subarray(offset), `${offset}`);
  }
  for (const offset of [699, 700, 701, 1_132, 1_133, 1_134, Number.MAX_SAFE_INTEGER]) {
    t.deepEqual(await read(offset), bytes.subarray(offset), `${offset}`);
  }
});

test('only what counts is given: what lies behind the length of an attempt is not', async (t) => {
  const { bytes, be, read } = await written(t, [300, 100]);
  be({ attempts: [attempt(1, 250, 'lost'), attempt(2, 100, 'failed')] });
  const counts = Buffer.concat([bytes.subarray(0, 250), bytes.subarray(300)]);
  for (const offset of [0, 249, 250, 251, 349])
    t.deepEqual(await read(offset), counts.subarray(offset));
});

test('who follows from beyond the end waits for that byte, into the next attempt', async (t) => {
  const { bytes, be, read } = await written(t, [120, 80]);
  be({ state: 'running', finishedAt: null, attempts: [attempt(1, 100, 'running')] });
  const followed = read(150, true);
  be({ attempts: [attempt(1, 120, 'failed'), attempt(2, 0, 'running')] });
  be({ attempts: [attempt(1, 120, 'failed'), attempt(2, 20, 'running')] });
  be({ attempts: [attempt(1, 120, 'failed'), attempt(2, 50, 'running')] });
  be({
    state: 'failed',
    finishedAt: 1,
    attempts: [attempt(1, 120, 'failed'), attempt(2, 80, 'failed')],
  });
  t.deepEqual(await followed, bytes.subarray(150));
});
