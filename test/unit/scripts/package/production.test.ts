import { productionPlaces } from '@understudy/scripts/package/production';
import test from 'ava';

const packages = {
  controller: { dependencies: { koa: '1', tool: '1' } },
  scripts: { dependencies: { commander: '1', database: '1' }, devDependencies: { bench: '1' } },
  'node_modules/koa': {
    dependencies: { shared: '1' },
    optionalDependencies: { fast: '1', 'fast-elsewhere': '1', unknown: '1' },
  },
  'node_modules/fast': {},
  'node_modules/fast-elsewhere': {},
  'node_modules/shared': {},
  'controller/node_modules/shared': {},
  'controller/node_modules/tool': { dependencies: { shared: '1' } },
  'node_modules/commander': {},
  'node_modules/database': { dependencies: { binaries: '1' } },
  'node_modules/binaries': {},
  'node_modules/bench': {},
};

const isThere = (place: string) => !place.endsWith('elsewhere');

test('what the roots need is found where Node would find it, and nothing else', (t) => {
  const roots = ['controller', 'scripts'];
  t.deepEqual(productionPlaces({ packages, roots, without: ['database'], isThere }), [
    'controller/node_modules/shared',
    'controller/node_modules/tool',
    'node_modules/commander',
    'node_modules/fast',
    'node_modules/koa',
    'node_modules/shared',
  ]);
});

test('a package that is needed and not locked is named with who needs it', (t) => {
  const broken = { agent: { dependencies: { gone: '1' } } };
  t.throws(() => productionPlaces({ packages: broken, roots: ['agent'], without: [], isThere }), {
    message: 'agent needs gone, which is not in the lock file',
  });
});
