import { labelsOfAbilities, selectorOf } from '@understudy/controller/dispatch/abilities';
import { matches } from '@understudy/controller/dispatch/queue';
import { mannerOf } from '@understudy/shared/protocol/action';
import { workerAbilities } from '@understudy/shared/protocol/agent';
import { jobSchema } from '@understudy/shared/protocol/api';
import test from 'ava';
import { makeRun } from './make-run.ts';

const labels = { zone: 'eu' };
const newer = { ...labels, ...labelsOfAbilities(workerAbilities) };

test('an older agent gets what it can do, and nothing that it would do otherwise', (t) => {
  const manner = mannerOf(jobSchema.parse({ name: 'j', shell: 'x', grace: '1s' }));
  const plain = makeRun({ selector: { zone: 'eu' }, manner }).spec;
  t.true(matches(selectorOf(plain), labels));
  for (const more of [
    { shell: 'x' },
    { http: jobSchema.parse({ name: 'j', http: { url: 'http://a/' } }).http },
    { module: { path: '/a.js', export: 'default' } },
    { manner: { ...manner, user: 'nobody' } },
    { manner: { ...manner, cwd: '/' } },
  ]) {
    const spec = { ...plain, ...more };
    t.false(matches(selectorOf(spec), labels), JSON.stringify(more));
    t.true(matches(selectorOf(spec), newer), JSON.stringify(more));
  }
});
