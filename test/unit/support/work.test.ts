import test from 'ava';
import { survivors } from '../../support/invariants/processes.ts';
import { doubleStarts, parseStartLines, unfinished } from '../../support/invariants/work.ts';

const never = () => false;
const always = () => true;

test('I5 accepts one start for each attempt', (t) => {
  const lines = parseStartLines('r1 1 100\nr1 2 101\nr2 1 102\n');
  t.is(lines.length, 3);
  t.deepEqual(doubleStarts(lines, never), []);
});

test('I5 refuses a second attempt of an at-most-once run', (t) => {
  const lines = parseStartLines('r1 1 100\nr1 2 101\n');
  t.deepEqual(doubleStarts(lines, always), ['I5: r1 was started as 100, 101']);
});

test('I5 refuses an attempt that was started twice, whatever the delivery', (t) => {
  const lines = parseStartLines('r1 1 100\nr1 1 101\n');
  t.deepEqual(doubleStarts(lines, never), ['I5: r1 attempt 1 was started as 100, 101']);
});

test('I6 accepts acknowledged runs that are over', (t) => {
  const states = new Map([
    ['r1', 'succeeded'],
    ['r2', 'lost'],
  ]);
  t.deepEqual(unfinished(['r1', 'r2'], states), []);
});

test('I6 refuses an acknowledged run that vanished or does not end', (t) => {
  t.is(unfinished(['r1', 'r2'], new Map([['r1', 'running']])).length, 2);
});

test('I13 accepts zombies and processes of other incarnations', (t) => {
  const seen = [
    { pid: 1, state: 'Z', owner: 'p/a/old' },
    { pid: 2, state: 'S', owner: 'p/a/new' },
    { pid: 3, state: 'S', owner: null },
  ];
  t.deepEqual(survivors(seen, 'old'), []);
});

test('I13 refuses a process of the old incarnation, stopped ones too', (t) => {
  const seen = [
    { pid: 1, state: 'T', owner: 'p/a/old' },
    { pid: 2, state: 'S', owner: 'p/a/old' },
  ];
  t.is(survivors(seen, 'old').length, 2);
});
