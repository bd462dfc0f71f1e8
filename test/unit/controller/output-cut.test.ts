import { endAttempt, growLog } from '@understudy/controller/dispatch/transitions';
import { mergeChanges } from '@understudy/controller/store/changes';
import { OutputCut } from '@understudy/controller/store/output-cut';
import test from 'ava';
import { makeRun, moment, running } from './make-run.ts';

const chunk = (run: string, start: number, length: number) => ({
  ...{ run, attempt: 1, start },
  data: Buffer.alloc(length),
});

test('F60: output that has no room is cut for good; all else is kept, and the end says what is missing', (t) => {
  const begun = growLog(running(makeRun()), 100, moment);
  const first = mergeChanges([{ runs: [begun], chunks: [chunk('r1', 40, 60)] }], 'first');
  const without = OutputCut.all(first);
  t.deepEqual(without.chunks, []);
  t.is(without.attempts.get('r1.1')?.attempt.logBytes, 40, 'what is stored before it counts');
  t.is(without.runs.get('r1')?.attempts[0]?.logBytes, 40);
  t.is(without.runs.get('r1')?.state, 'running');

  const cut = new OutputCut();
  t.is(cut.apply(first), first, 'nothing is cut without need');
  t.deepEqual(cut.note(first), ['r1']);
  const other = growLog(running(makeRun({}, { id: 'r2' })), 10, moment);
  const grown = growLog(begun, 250, moment);
  const chunks = [chunk('r1', 100, 150), chunk('r2', 0, 10)];
  const second = cut.apply(mergeChanges([{ runs: [grown, other], chunks }], 'second'));
  t.deepEqual(
    second.chunks.map(({ run }) => run),
    ['r2'],
    'output behind a gap could never be read',
  );
  t.is(second.attempts.get('r1.1')?.attempt.logBytes, 40);
  t.is(second.attempts.get('r2.1')?.attempt.logBytes, 10);

  const end = { outcome: 'exited', exitCode: 0, signal: null, reason: null, at: 2_000 } as const;
  const ended = endAttempt(grown, end, moment);
  const last = cut.apply(mergeChanges([{ runs: [ended] }], 'last'));
  const attempt = last.attempts.get('r1.1')?.attempt;
  t.like(attempt, { state: 'succeeded', logBytes: 40 });
  t.regex(attempt?.reason ?? '', /^210 bytes of its output are missing/);
  cut.forget(last);
  t.is(cut.apply(first), first);
});
