import { weightOf } from '@understudy/controller/store/changes';
import test from 'ava';
import { makeRun } from './make-run.ts';

test('changes weigh by rows, and by the bytes of what a run carries', (t) => {
  const small = weightOf({ newRuns: [makeRun()] });
  t.true(small >= 1 && small < 1.5);
  const large = makeRun({ env: { TEXT: 'x'.repeat(409_600) } });
  t.true(weightOf({ runs: [large] }) > 100);
  const parameters = { TEXT: 'x'.repeat(409_600) };
  t.true(weightOf({ newRuns: [makeRun({}, { parameters })] }) > 100);
});
