import test from 'ava';
import { examples, routerRoutes, setUpApp } from './app-bench.ts';

test('there is an example for every route', async (t) => {
  const { parts } = await setUpApp(t);
  t.deepEqual(routerRoutes(parts).toSorted(), Object.keys(examples).toSorted());
});

for (const route of Object.keys(examples)) {
  test(`${route} is answered while this controller may act`, async (t) => {
    const { ask } = await setUpApp(t);
    const { ok, status, body } = await ask(route);
    await body?.cancel();
    t.true(ok, `${status}`);
  });

  test(`${route} is not admitted once it may not, and changes nothing`, async (t) => {
    const { ask, guard, commits } = await setUpApp(t);
    guard.mayAct = () => false;
    const response = await ask(route);
    t.is(response.status, 503);
    t.like(await response.json(), { error: { code: 'not-active' } });
    t.is(commits.length, 0);
  });

  test(`${route} gets no success answer when it may not any more by then`, async (t) => {
    const { ask, guard } = await setUpApp(t);
    let asked = 0;
    guard.mayAct = () => asked++ === 0;
    const response = await ask(route);
    t.is(response.status, 503);
    t.like(await response.json(), { error: { code: 'not-active' } });
  });
}
