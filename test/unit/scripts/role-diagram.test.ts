import { readFileSync } from 'node:fs';
import { roleDiagram, withDiagram } from '@understudy/scripts/diagram/role-diagram';
import test from 'ava';

const architecture = readFileSync(new URL('../../../../ARCHITECTURE.md', import.meta.url), 'utf8');

test('The diagram in ARCHITECTURE.md is the one that the role machine draws', (t) => {
  t.is(architecture, withDiagram(architecture, roleDiagram()), 'run `npm run diagram`');
});

test('A text without the marks of the diagram is refused', (t) => {
  t.throws(() => withDiagram('no marks here', roleDiagram()), { message: /marks .* are missing/ });
});
