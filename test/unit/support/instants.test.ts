import test from 'ava';
import { instantFaults } from '../../support/invariants/instants.ts';

const runs = (...seconds: number[]) =>
  seconds.map((second) => ({ job: 'tick', instant: 1_000 * second }));

test('I11 accepts one run for each instant, in whatever order they are told', (t) => {
  t.deepEqual(instantFaults(runs(3, 1, 2), 1_000), []);
});

test('I11 refuses two runs for one instant', (t) => {
  t.regex(instantFaults(runs(1, 2, 2, 3), 1_000).join(), /two runs/);
});

test('I11 refuses an instant without a run', (t) => {
  t.regex(instantFaults(runs(1, 2, 4), 1_000).join(), /no run/);
});
