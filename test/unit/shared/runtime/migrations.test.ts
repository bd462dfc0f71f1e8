import { readdirSync } from 'node:fs';
import { migrationsFolder } from '@understudy/shared/runtime/schema-version';
import test from 'ava';

test('no two migrations have the same number, and none is left out', (t) => {
  const names = readdirSync(migrationsFolder()).toSorted();
  t.true(names.length > 5);
  const numbers = names.map((name) => Number(name.slice(0, 4)));
  t.deepEqual(
    numbers,
    names.map((_, index) => index + 1),
    names.join(', '),
  );
});
