import { declaredIn, routesOf } from '@understudy/controller/http/app';
import type { NewAudit } from '@understudy/controller/security/audit';
import { MOST_ITEMS, mergeAudits, naming } from '@understudy/controller/security/audit';
import test from 'ava';
import { examples, setUpApp } from './app-bench.ts';

for (const name of Object.keys(examples)) {
  test(`${name} tells who changed what together with the change, or changes nothing`, async (t) => {
    const { ask, commits, parts } = await setUpApp(t);
    const route = declaredIn(routesOf(parts)).find(
      ({ method, path }) => `${method.toUpperCase()} ${path}` === name,
    );
    const response = await ask(name);
    await response.body?.cancel();
    const ofUsers = route?.needs !== 'agent' && route?.method !== 'get';
    t.is(route?.audited !== undefined, ofUsers);
    const audited = commits.filter(({ audits }) => audits !== undefined);
    t.is(audited.length, ofUsers ? 1 : 0);
    if (!ofUsers) return;
    const [{ audits = [], ...changes } = {}] = audited;
    t.true(Object.keys(changes).length > 0, 'an entry without a change');
    t.like(audits, [{ actor: 'pair', action: route?.audited, address: '127.0.0.1', at: 5_000 }]);
    t.regex(audits[0]?.subject ?? '', /./);
  });
}

const entry: NewAudit = {
  ...{ at: 1, actor: 'ci', action: 'run.create', subject: 'j', address: '10.0.0.1' },
  ...{ items: [], count: 1 },
};

test('what one caller does many times in one commit is one entry, with what it made', (t) => {
  const all = ['a', 'b', 'c'].map((id) => ({ ...entry, items: [id] }));
  const other = { ...entry, actor: 'ops', items: ['d'] };
  t.deepEqual(mergeAudits([...all, other]), [
    { ...entry, items: ['a', 'b', 'c'], count: 3 },
    other,
  ]);
});

test('an entry names a bounded number of items, whatever was made', (t) => {
  const many = Array.from({ length: 2 * MOST_ITEMS }, (_, index) => `${index}`);
  const { audits = [] } = naming({ audits: [entry] }, many);
  t.is(audits[0]?.items.length, MOST_ITEMS);
  const [merged] = mergeAudits(many.map((id) => ({ ...entry, items: [id] })));
  t.like(merged, { count: 2 * MOST_ITEMS });
  t.is(merged?.items.length, MOST_ITEMS);
});
