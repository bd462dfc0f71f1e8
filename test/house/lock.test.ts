import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { lockAddresses, lockGaps } from './rules/lock.ts';
import { root } from './tree.ts';

const lock = readFileSync(join(root, 'package-lock.json'), 'utf8');
const doctored = (packages: object) => JSON.stringify({ packages });

test('the lock file names no download address', (t) => {
  t.deepEqual(lockAddresses(lock), []);
});

test('the lock file is complete, for every platform', (t) => {
  t.deepEqual(lockGaps(lock), []);
});

test('a lock file with addresses is caught', (t) => {
  const one = { resolved: 'https://registry.example/one.tgz' };
  t.is(lockAddresses(doctored({ 'node_modules/one': one })).length, 1);
  t.deepEqual(lockAddresses(doctored({ 'node_modules/one': { resolved: 'shared' } })), []);
});

test('a lock file that leaves something out is caught', (t) => {
  const one = { optionalDependencies: { two: '1.0.0' } };
  t.is(lockGaps(doctored({ '': {}, 'node_modules/one': one })).length, 1);
  const beside = { 'node_modules/one': one, 'node_modules/two': {} };
  const below = { 'node_modules/one': one, 'node_modules/one/node_modules/two': {} };
  t.deepEqual(lockGaps(doctored(beside)), []);
  t.deepEqual(lockGaps(doctored(below)), []);
});
