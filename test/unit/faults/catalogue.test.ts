import { fileURLToPath } from 'node:url';
import test from 'ava';
import { coverageOf, describeCoverage } from '../../faults/catalogue/coverage.ts';
import { faults } from '../../faults/catalogue/names.ts';
import { notCovered } from '../../faults/catalogue/not-covered.ts';
import { readTitles, titlesIn } from '../../faults/catalogue/titles.ts';

const names = { 1: 'one', 2: 'two', 3: 'three' };
const titled = (...numbers: number[]) => ({ file: 'a.test.ts', title: 'a test', numbers });

test('every fault has a test, or a reason why it has none', (t) => {
  const sources = fileURLToPath(new URL('../../../', import.meta.url));
  const titles = readTitles(sources);
  t.true(titles.length > 50);
  const wrong = coverageOf(faults, titles, notCovered).filter(({ problem }) => problem !== null);
  t.deepEqual(wrong, []);
});

test('the list of faults is complete: 1 to 127', (t) => {
  t.deepEqual(
    Object.keys(faults),
    Array.from({ length: 127 }, (_, index) => `${index + 1}`),
  );
});

test('a title names one fault or several, wherever it stands', (t) => {
  const text = `
    test('F1: a crash', run);
    test.serial(
      \`F12, F3: \${what} is survived\`, run);
    // F4: a comment
    const other = 'see F5: not at the beginning';
    test("F6: it doesn't matter how it is quoted", run);`;
  t.deepEqual(
    titlesIn('a.test.ts', text).map(({ numbers }) => numbers),
    [[1], [12, 3], [6]],
  );
});

test('a fault with a test, and one with a reason, are as they should be', (t) => {
  const coverage = coverageOf(names, [titled(1, 3)], { 2: 'because' });
  t.true(coverage.every(({ problem }) => problem === null));
  t.regex(describeCoverage(coverage), /2 covered, 1 not covered, 0 wrong/);
});

test('a fault with neither, with both, or without a name is told', (t) => {
  const coverage = coverageOf(names, [titled(1), titled(4)], { 1: 'because', 3: 'because' });
  t.deepEqual(
    coverage.filter(({ problem }) => problem !== null).map(({ number }) => number),
    [1, 2, 4],
  );
});
