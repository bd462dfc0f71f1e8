import { judgeLoad, type ListedRun } from '@understudy/scripts/bench/load/judge';
import type { Sent } from '@understudy/scripts/bench/load/load';
import test from 'ava';

const answered = (status: number, body: unknown) =>
  ({ kind: 'answered', status, body: JSON.stringify(body) }) as const;
const reset = { kind: 'broken', why: 'ECONNRESET' } as const;

function sent(wish: Sent['wish'], answer: Sent['answer'], key: string | null = null): Sent {
  return { wish, answer, key, isKeptAlive: false, sentAt: 0, tookMs: 3 };
}

function run(id: string, state = 'succeeded', attempts = 1): ListedRun {
  return { id, state, attempts: Array.from({ length: attempts }) };
}

test('a load of which all was answered and all runs ended well has nothing to complain of', (t) => {
  const all = [
    sent('pair', answered(200, {})),
    sent('run', answered(201, { id: 'r1' })),
    sent('run-once', answered(201, { id: 'r2' }), 'k'),
    sent('run-once', answered(200, { id: 'r2' }), 'k'),
  ];
  t.deepEqual(judgeLoad(all, [run('r1'), run('r2')]), {
    ...{ failed: 0, longestMs: 3 },
    complaints: [],
  });
});

test('whatever is not answered 2xx has failed: a reset, a refusal, an error', (t) => {
  const refused = { kind: 'refused', why: 'ECONNREFUSED' } as const;
  const all = [sent('pair', reset), sent('runs', refused), sent('pair', answered(503, {}))];
  const { failed, complaints } = judgeLoad(all, []);
  t.is(failed, 3);
  t.is(complaints.length, 3);
});

test('two runs for one key are a doubled run', (t) => {
  const all = ['r1', 'r2'].map((id) => sent('run-once', answered(201, { id }), 'k'));
  const { complaints } = judgeLoad(all, [run('r1'), run('r2')]);
  t.deepEqual(complaints, ['doubled: key k started r1 and r2']);
});

test('a run that was accepted and is missing, or did not succeed, is lost', (t) => {
  const all = ['r1', 'r2'].map((id) => sent('run', answered(201, { id })));
  const { complaints } = judgeLoad(all, [run('r2', 'queued')]);
  t.deepEqual(complaints, ['lost: r1 was accepted and is not there', 'lost: r2 is queued']);
});

test('a second attempt, and a run that nobody was told of, are doubled', (t) => {
  const all = [sent('run', answered(201, { id: 'r1' }))];
  const { complaints } = judgeLoad(all, [run('r1', 'succeeded', 2), run('r2')]);
  t.deepEqual(complaints, [
    'doubled: r1 was tried 2 times',
    'doubled: 1 runs that nobody asked for',
  ]);
});

test('a request that failed may have started its run', (t) => {
  t.is(judgeLoad([sent('run', reset)], [run('r1')]).complaints.length, 1);
});
