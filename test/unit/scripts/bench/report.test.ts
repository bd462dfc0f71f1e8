import { median } from '@understudy/scripts/bench/median';
import { type Figure, figureTable, isKept, summarise } from '@understudy/scripts/bench/report';
import test from 'ava';

const figure: Figure = {
  scenario: 'kill-controller',
  measure: 'interruption',
  title: 'kill -9 of the controller',
  unit: 'ms',
  values: [90, 110.5, 100],
  most: 110.5,
};

test('the median of an even number of values lies between the two in the middle', (t) => {
  t.is(median([30, 10, 20]), 20);
  t.is(median([40, 10, 20, 30]), 25);
});

test('a promise is kept when no round was above it', (t) => {
  t.true(isKept(figure));
  t.false(isKept({ ...figure, most: 110.4 }));
  t.false(isKept({ ...figure, values: [90, Number.POSITIVE_INFINITY] }));
});

test('a promise that no round tested, or that a round gave no figure for, is not kept', (t) => {
  t.false(isKept({ ...figure, values: [] }));
  t.false(isKept({ ...figure, values: [90, Number.NaN] }));
});

test('a figure is shown with median, least, most, and the promise beside them', (t) => {
  t.like(summarise(figure), { times: 3, median: 100, min: 90, max: 110.5, kept: true });
  const [, row = ''] = figureTable([{ ...figure, most: 100 }]).split('\n');
  t.regex(row, /^kill -9 of the controller +3 +100 ms +90 ms +110\.5 ms +100 ms +BROKEN$/);
});

test('where nothing is promised, nothing is broken by any figure, only by none', (t) => {
  const shown = { ...figure, most: null };
  t.true(isKept(shown));
  t.false(isKept({ ...shown, values: [Number.NaN] }));
  const [, row = ''] = figureTable([shown]).split('\n');
  t.regex(row, / 110\.5 ms +- *$/);
});
