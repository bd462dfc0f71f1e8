import { declaredIn, routesOf } from '@understudy/controller/http/app';
import type { NewAudit } from '@understudy/controller/security/audit';
import { Denials } from '@understudy/controller/security/denials';
import test from 'ava';
import { setUpApp } from './app-bench.ts';

const asked = 'GET /api/v1/tokens';
const asAgent = null;

test('who is denied again and again is told of once in a while, with a count', (t) => {
  const told: NewAudit[] = [];
  const denials = new Denials({ record: (audit) => void told.push(audit), everyMs: 1_000 });
  for (let at = 0; at <= 2_000; at += 100)
    denials.note({ actor: 'ci', address: '::1', asked, asAgent, at });
  t.deepEqual(
    told.map(({ at, count }) => [at, count]),
    [
      [0, 1],
      [1_000, 10],
      [2_000, 10],
    ],
  );
  denials.note({ actor: 'ops', address: '::1', asked, asAgent, at: 2_001 });
  denials.note({ actor: null, address: '::1', asked: 'x'.repeat(999), asAgent, at: 2_001 });
  t.like(told.slice(3), [
    { actor: 'ops', action: 'denied', subject: asked },
    { actor: '-', subject: 'x'.repeat(200) },
  ]);
});

test('however many callers are denied, a bounded number of them is remembered', (t) => {
  let told = 0;
  const record = () => {
    told += 1;
  };
  const denials = new Denials({ record, everyMs: 1_000 });
  for (let caller = 0; caller < 5_000; caller += 1) {
    denials.note({ actor: null, address: `${caller}`, asked, asAgent, at: 0 });
  }
  t.is(told, 5_000);
  denials.note({ actor: null, address: '4999', asked, asAgent, at: 1 });
  t.is(told, 5_000);
  denials.note({ actor: null, address: '0', asked, asAgent, at: 1 });
  t.is(told, 5_001);
});

test('F122: a role that does not suffice, and a token that is not valid, are on record', async (t) => {
  const { ask, commits } = await setUpApp(t);
  await ask('DELETE /api/v1/jobs/:name', 'viewer-token');
  await ask('GET /api/v1/jobs', 'wrong');
  const audits = commits.flatMap((each) => each.audits ?? []);
  t.like(audits, [
    { actor: 'viewer', action: 'denied', subject: 'DELETE /api/v1/jobs/j', address: '127.0.0.1' },
    { actor: '-', action: 'denied', subject: 'GET /api/v1/jobs' },
  ]);
});

test('F122: the token of one agent is good for no other, whatever it asks, and that is on record', async (t) => {
  const { ask, commits, parts } = await setUpApp(t);
  const routes = declaredIn(routesOf(parts)).filter(({ needs }) => needs === 'agent');
  t.is(routes.length, 3);
  for (const { method, path } of routes) {
    const name = `${method.toUpperCase()} ${path}`;
    const refused = await ask(name, 'agent-token of w2');
    t.is(refused.status, 403, name);
    t.like(await refused.json(), {
      error: {
        code: 'wrong-agent',
        message: 'the token agent is that of agent w2, and not of w1',
      },
    });
    const own = await ask(name, 'agent-token of w1');
    t.true(own.ok, name);
    await own.body?.cancel();
  }
  const audits = commits.flatMap((each) => each.audits ?? []);
  t.like(audits, [
    { actor: 'agent', action: 'denied', subject: 'POST /agent/v1/register', items: ['w1'] },
  ]);
});
