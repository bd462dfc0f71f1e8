import { declaredIn, routesOf } from '@understudy/controller/http/app';
import { mayDo } from '@understudy/controller/security/roles';
import { type Role, roles } from '@understudy/shared/protocol/rights';
import test from 'ava';
import { examples, setUpApp } from './app-bench.ts';

test('an admin may what an operator may, and an operator what a viewer may; an agent is apart', (t) => {
  const allowed = (held: readonly Role[]) => roles.filter((need) => mayDo(held, need));
  t.deepEqual(allowed(['viewer']), ['viewer']);
  t.deepEqual(allowed(['operator']), ['operator', 'viewer']);
  t.deepEqual(allowed(['admin']), ['admin', 'operator', 'viewer']);
  t.deepEqual(allowed(['agent']), ['agent']);
  t.deepEqual(allowed(['admin', 'agent']), [...roles]);
  t.deepEqual(allowed([]), []);
  t.true(mayDo([], 'nothing'));
});

for (const role of roles) {
  test(`a token with the role ${role} may use the routes that need no more, and no others`, async (t) => {
    for (const name of Object.keys(examples)) {
      const { ask, commits, parts } = await setUpApp(t);
      const route = declaredIn(routesOf(parts)).find(
        ({ method, path }) => `${method.toUpperCase()} ${path}` === name,
      );
      if (route === undefined) return t.fail(`${name} is not declared`);
      const response = await ask(name, `${role}-token`);
      if (mayDo([role], route.needs)) {
        t.true(response.ok, `${name}: ${response.status}`);
        await response.body?.cancel();
      } else {
        t.is(response.status, 403, name);
        t.like(await response.json(), { error: { code: 'forbidden' } });
        // Nothing but that it was asked for.
        t.deepEqual(
          commits.map((each) => Object.keys(each).toSorted()),
          [['audits', 'events']],
        );
      }
    }
  });
}

test('F122: without a token, or with one that is not valid, only what is open to everybody is answered', async (t) => {
  const { ask, parts } = await setUpApp(t);
  const declared = declaredIn(routesOf(parts));
  for (const name of Object.keys(examples)) {
    const open = declared.some(
      ({ method, path, needs }) =>
        needs === 'nothing' && name === `${method.toUpperCase()} ${path}`,
    );
    const response = await ask(name, 'wrong');
    t.is(response.status, open ? 200 : 401, name);
    await response.body?.cancel();
  }
});
