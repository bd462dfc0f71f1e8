import test from 'ava';
import { parseSource } from './source.ts';

const importsOf = (text: string) => parseSource('a.ts', text).imports;

test('imports are found in all their forms', (t) => {
  const text = [
    "import one from 'one';",
    "import {\n  two,\n  type Two,\n} from 'two';",
    "import 'three';",
    "export * from 'four';",
    "const five = await import('five');",
  ].join('\n');
  t.deepEqual(
    importsOf(text)
      .map((found) => found.specifier)
      .toSorted(),
    ['five', 'four', 'one', 'three', 'two'],
  );
});

test('an import of types alone is told from one of values', (t) => {
  const typeOnly = (text: string) => importsOf(text).map((found) => found.typeOnly);
  t.deepEqual(typeOnly("import type { A } from 'a';"), [true]);
  t.deepEqual(typeOnly("import { type A, type B } from 'a';"), [true]);
  t.deepEqual(typeOnly("import { type A, b } from 'a';"), [false]);
});

test('an import inside a comment is none', (t) => {
  t.deepEqual(importsOf("// import 'a';\n/*\nimport 'b';\n*/"), []);
});

test('comments, strings, templates and patterns are blanked and lines stay', (t) => {
  const text = "a('in'); // out\nb(`x #{c('y')} z`); d(/['\"]/, e / f); /* g\n */ h".replace(
    '#',
    '$',
  );
  const { code } = parseSource('a.ts', text);
  t.is(code.length, text.length);
  t.is(code.split('\n').length, 3);
  t.deepEqual(code.match(/[a-z]+/g), ['a', 'b', 'c', 'd', 'e', 'f', 'h']);
});
