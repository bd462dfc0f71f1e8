import type { Figure } from '@understudy/scripts/bench/report';
import { compare, rivalTable } from '@understudy/scripts/bench/rivals/compare';
import type { RivalFigure } from '@understudy/scripts/bench/rivals/measure';
import test from 'ava';

const lost: Figure = {
  scenario: 'lose-host',
  measure: 'interruption',
  title: 'the host is lost',
  unit: 'ms',
  values: [1_000, 1_200, 1_100],
  most: 2_000,
};
const rival: RivalFigure = {
  rival: 'other-1',
  title: 'other, 1 s',
  fault: 'host-loss',
  values: [3_300, 3_100, 3_500],
};

test('a rival is compared by the medians of the same run', (t) => {
  t.like(compare(rival, [lost]), { median: 3_300, ours: 1_100, ratio: 3 });
});

test('where ours was not measured in this run, there is no ratio', (t) => {
  t.like(compare({ ...rival, fault: 'crash' }, [lost]), { ours: null, ratio: null });
  t.regex(rivalTable([rival], []), / - +-$/);
});
