import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import {
  consoleFaults,
  defaultExportFaults,
  leftoverFaults,
  lengthFaults,
  MAX_LINES,
  nameFaults,
  skippedTestFaults,
  weakLimitFaults,
} from './rules/form.ts';
import { parseSource } from './source.ts';
import { listFiles, readSources, root } from './tree.ts';

const TEXT = /\.(?:ts|js|sql|md|json|yaml|yml|sh|svelte|html|css)$|^\.ci\//;

test('nothing in the tree says that it is not finished', (t) => {
  const texts = listFiles().filter((path) => TEXT.test(path) && path !== 'package-lock.json');
  t.true(texts.length > 20);
  t.deepEqual(
    texts.flatMap((path) => leftoverFaults(path, readFileSync(join(root, path), 'utf8'))),
    [],
  );
});

test('every test counts', (t) => {
  t.deepEqual(readSources().flatMap(skippedTestFaults), []);
});

test('nothing prints past the log, but the commands', (t) => {
  t.deepEqual(readSources().flatMap(consoleFaults), []);
});

test('every time limit is kept until it is over', (t) => {
  t.deepEqual(readSources().flatMap(weakLimitFaults), []);
});

test('every export has a name', (t) => {
  t.deepEqual(readSources().flatMap(defaultExportFaults), []);
});

test(`no file is longer than ${MAX_LINES} lines`, (t) => {
  t.deepEqual(readSources().flatMap(lengthFaults), []);
});

test('files and folders are named in kebab case', (t) => {
  t.deepEqual(listFiles().flatMap(nameFaults), []);
});

test('a leftover word is caught in any case, in comments too', (t) => {
  t.is(leftoverFaults('a.md', `- ${'to'}do: later`).length, 1);
  t.is(leftoverFaults('a.ts', `// FIX${'ME'} and ${'HA'}CK`).length, 2);
  t.deepEqual(leftoverFaults('a.ts', 'const shack = methodOf(fixmedia);'), []);
});

test('a test that is switched off is caught', (t) => {
  for (const how of ['skip', 'only', 'failing', 'serial.only']) {
    t.is(skippedTestFaults(parseSource('test/a.test.ts', `test.${how}('x', run);`)).length, 1);
  }
  t.deepEqual(skippedTestFaults(parseSource('test/a.test.ts', "test.serial('x', run);")), []);
});

test('printing is caught outside of the commands', (t) => {
  const text = "console.error('x');";
  t.is(consoleFaults(parseSource('heartbeat/main.ts', text)).length, 1);
  t.deepEqual(consoleFaults(parseSource('scripts/cli/main.ts', text)), []);
});

test('a time limit among weak sources is caught', (t) => {
  const weak = 'const s = AbortSignal.any([\n  signal,\n  AbortSignal.timeout(10),\n]);';
  t.is(weakLimitFaults(parseSource('agent/a.ts', weak)).length, 1);
  const kept = 'const s = AbortSignal.any([a, b]); const l = AbortSignal.timeout(10);';
  t.deepEqual(weakLimitFaults(parseSource('agent/a.ts', kept)), []);
});

test('a default export is caught', (t) => {
  for (const text of ['export default 1;', 'export { a as default };']) {
    t.is(defaultExportFaults(parseSource('heartbeat/main.ts', text)).length, 1);
  }
  t.deepEqual(defaultExportFaults(parseSource('heartbeat/main.ts', 'export const a = 1;')), []);
});

test('a long file is caught', (t) => {
  t.is(lengthFaults(parseSource('a.ts', 'x\n'.repeat(MAX_LINES + 1))).length, 1);
  t.deepEqual(lengthFaults(parseSource('a.ts', 'x\n'.repeat(MAX_LINES))), []);
});

test('a name in another case is caught', (t) => {
  for (const path of ['agent/followActive.ts', 'agent/Follow/a.ts', 'agent/follow_up/a.ts']) {
    t.is(nameFaults(path).length, 1);
  }
  t.deepEqual(nameFaults('agent/follow-active.test.ts'), []);
});
