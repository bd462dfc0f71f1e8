import test from 'ava';
import { runSeries } from './series/series.ts';

/** Another seed each day would be another test each day; longer series have their own command. */
const SEED = 7;
const DURATION_MS = 45_000;

test('A series of faults under load harms nothing: no run, no request, no process is lost or doubled', async (t) => {
  const told: string[] = [];
  const report = await runSeries(t, {
    seed: SEED,
    durationMs: DURATION_MS,
    tell: (text) => told.push(text),
  });
  t.log([...told, report.summary].join('\n'));
  t.deepEqual(report.findings, []);
});
