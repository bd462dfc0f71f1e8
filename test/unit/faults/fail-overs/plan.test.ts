import test from 'ava';
import {
  borneKinds,
  failOverKinds,
  isFailOver,
  planFailOvers,
} from '../../../faults/fail-overs/plan.ts';
import { Dice } from '../../../sim/kernel/dice.ts';

test('ten fail-overs are one of each kind, with what must be borne in between', (t) => {
  for (let seed = 1; seed <= 50; seed += 1) {
    const kinds = planFailOvers(new Dice(seed), 10).map(({ kind }) => kind);
    t.deepEqual(kinds.toSorted(), [...failOverKinds, ...borneKinds].toSorted());
  }
});

test('more fail-overs than kinds begin with each kind once', (t) => {
  const kinds = planFailOvers(new Dice(1), 13).map(({ kind }) => kind);
  const failOvers = kinds.filter(isFailOver);
  t.is(failOvers.length, 13);
  t.is(new Set(failOvers.slice(0, 10)).size, 10);
});

test('the same seed plans the same, another one something else', (t) => {
  t.deepEqual(planFailOvers(new Dice(3), 10), planFailOvers(new Dice(3), 10));
  t.notDeepEqual(planFailOvers(new Dice(3), 10), planFailOvers(new Dice(4), 10));
});
