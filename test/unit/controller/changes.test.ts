import { dispatchRun } from '@understudy/controller/dispatch/transitions';
import { mergeChanges, weightOf } from '@understudy/controller/store/changes';
import test from 'ava';
import { makeRun, moment } from './make-run.ts';

test('what is decided on a run before it is written is written with it', (t) => {
  const run = makeRun();
  const dispatched = dispatchRun(run, 'w1', moment);
  const { newRuns, runs, attempts } = mergeChanges(
    [{ newRuns: [run] }, { runs: [dispatched] }],
    'b',
  );
  t.deepEqual([...newRuns.values()], [dispatched]);
  t.is(runs.size, 0);
  t.is(attempts.size, 1);
});

test('changes weigh by rows, and by the bytes of what a run carries', (t) => {
  const small = weightOf({ newRuns: [makeRun()] });
  t.true(small >= 1 && small < 1.5);
  const large = makeRun({ env: { TEXT: 'x'.repeat(409_600) } });
  t.true(weightOf({ runs: [large] }) > 100);
  const parameters = { TEXT: 'x'.repeat(409_600) };
  t.true(weightOf({ newRuns: [makeRun({}, { parameters })] }) > 100);
});
