import test from 'ava';
import { emptyCounters, phaseNames } from './checks/counters.ts';
import { playHistory } from './history.ts';
import { calm } from './plan/knobs.ts';
import { mutants } from './plan/mutants.ts';
import { catchMutant, playBatch } from './run/batch.ts';

test('No history of the first 200 seeds violates an invariant, and every one ends with an active', (t) => {
  const counters = emptyCounters();
  t.deepEqual(playBatch({ from: 1, count: 200 }, counters), []);
  t.is(counters.histories, 200);
  t.true(counters.answers > 5_000);
  for (const phase of phaseNames) t.true(counters.phases[phase] > 0, phase);
});

test('F6, F41, F44: what a pair must bear changes no term', (t) => {
  for (let seed = 1; seed <= 25; seed++) {
    t.is(playHistory(seed, { shape: calm }).violation, null, `seed ${seed}`);
  }
});

test('A seed tells the same story each time', (t) => {
  const stories = [7, 7].map((seed) => {
    const lines: string[] = [];
    playHistory(seed, { onLine: (line) => lines.push(line) });
    return lines.join('\n');
  });
  t.true((stories[0]?.length ?? 0) > 100);
  t.is(stories[0], stories[1]);
});

// The others need more histories: `npm run sim -- --mutants`.
for (const name of [
  'fence without lock',
  'no deadline in the controller',
  "the store's clock alone",
  'claim on a refused connection',
  'no incarnation',
]) {
  test(`Mutant "${name}" is caught`, (t) => {
    t.true(mutants.some((mutant) => mutant.name === name));
    t.not(catchMutant(name, { from: 1, count: 400 }), null);
  });
}
