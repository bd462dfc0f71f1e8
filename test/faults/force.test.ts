import type { PairEvent } from '@understudy/shared/protocol/events';
import test from 'ava';
import { eventually, faultLasts } from '../support/cluster/eventually.ts';
import { processesMarked } from '../support/cluster/proc.ts';
import { makeCluster, termOf } from '../support/cluster.ts';
import { BUSY_MS } from './bounds.ts';
import { Scenario } from './scenario.ts';

test('F87: by force another node takes the role from an active that lives, and nothing of the old term is committed', async (t) => {
  const scenario = await Scenario.begin(t);
  const { cluster, before, termBefore, bounds } = scenario;
  const { active, passive } = before;
  await scenario.submitTwenty();
  const old = await active.controllerPid();
  const { pair } = cluster.facts;
  const order = ['switchover', '--force', '--to', passive.node];
  for (const yes of [[], ['--yes', 'another']]) {
    const refused = await cluster.command([...order, ...yes]);
    t.is(refused.code, 1);
    t.regex(refused.stderr, /two nodes may answer[\s\S]*nothing was done/);
  }
  await scenario.nothingHappened();

  const { code, stdout, stderr } = await cluster.command([...order, '--yes', pair, '--json']);
  t.is(code, 0, stderr);
  t.like(JSON.parse(stdout), { from: active.node, to: passive.node, term: `${termBefore + 1n}` });
  t.is(await cluster.basisOf(termBefore + 1n), 'forced');
  await active.until('to be passive again', ({ role, ready }) => role === 'passive' && ready);
  const isLeft = processesMarked(pair).some(({ pid, state }) => pid === old && !/[ZX]/.test(state));
  t.false(isLeft, 'its controller of the old term is dead');
  const force = { term: termBefore + 1n, overlapMs: bounds.fenceMs + BUSY_MS };
  const { after, runs } = await scenario.judge(process.hrtime.bigint(), force);
  t.is(after.active.node, passive.node);
  t.is(termOf(after.activeStatus), termBefore + 1n, 'it does not come back by itself');
  t.true(runs.every((run) => run.state === 'succeeded'));

  const served = await eventually(
    async () => {
      const events = JSON.parse(
        (await cluster.command(['events', '--json'])).stdout,
      ) as PairEvent[];
      return (
        events.find(({ kind, facts }) => kind === 'served' && facts['basis'] === 'forced') ?? null
      );
    },
    { what: 'the event of the new service' },
  );
  const why = await cluster.command(['why', served.id]);
  t.regex(
    why.stdout,
    /From which evidence\n {2}an operator takes the role by force: \w holds term/,
  );
  t.regex(why.stdout, /By which rule\n {2}an operator may take the role by force/);
  t.regex(why.stdout, /What the other side saw[\s\S]*goes passive/);
});

test('F87: force takes the role from a frozen host at once, in a pause too; and not for a node that is not ready', async (t) => {
  const scenario = await Scenario.begin(t, { host: { failover: { target: '20s' } } });
  const { cluster, before, termBefore, bounds } = scenario;
  const { active, passive } = before;
  const { pair } = cluster.facts;
  const order = ['switchover', '--force', '--yes', pair, '--to'];
  t.is((await cluster.command(['pause', '--for', '10m'])).code, 0);
  await passive.until('to know of the pause', ({ paused }) => paused);
  const controller = await active.controllerPid();
  active.signalAll('SIGSTOP', controller);
  const forcedAt = performance.now();
  const { code, stderr } = await cluster.command([...order, passive.node], passive.node);
  const tookMs = performance.now() - forcedAt;
  t.is(code, 0, stderr);
  t.true(tookMs < bounds.fenceMs, `${tookMs} ms: it did not wait for the lease to run out`);
  t.is(
    (await cluster.command([...order, active.node], passive.node)).code,
    1,
    'it does not answer',
  );
  await faultLasts(1_000);
  active.signalAll('SIGCONT', controller);
  const force = { term: termBefore + 1n, overlapMs: bounds.fenceMs + BUSY_MS };
  const { after } = await scenario.judge(process.hrtime.bigint(), force);
  t.is(after.active.node, passive.node);
  const already = await cluster.command([...order, passive.node], active.node);
  t.regex(already.stderr, /is active already \(already-active\)/);
});

test('F87: a node whose peer uses another database does not take the role by force either', async (t) => {
  const cluster = await makeCluster(t, { agents: [], host: { failover: { target: '4s' } } });
  await cluster.start();
  const other = new URL(cluster.facts.database);
  other.pathname = '/other';
  await cluster.query('create database other');
  const strayed = ['--set', `database=${other.href}`];
  const b = cluster.host('b');
  t.is((await cluster.command(['create', ...strayed], 'b')).code, 0);
  await b.stop();
  b.start(b.options.log, strayed);
  await b.until('to say that it strayed', ({ notReady }) =>
    notReady.some((reason) => /another database/.test(reason)),
  );
  const { pair } = cluster.facts;
  const { code, stderr } = await cluster.command(
    ['switchover', '--force', '--yes', pair, '--to', 'b'],
    'b',
  );
  t.is(code, 1);
  t.regex(stderr, /a uses another database/);
});
