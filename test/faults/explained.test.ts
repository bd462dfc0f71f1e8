import type { PairEvent } from '@understudy/shared/protocol/events';
import { isAlive, processId } from '@understudy/shared/runtime/child';
import test from 'ava';
import { eventually } from '../support/cluster/eventually.ts';
import { makeCluster, termOf } from '../support/cluster.ts';

/** A generous promise: what is judged is what happens, not how fast this machine is. */
const options = { agents: [], host: { failover: { target: '10s' } } };

interface Drilled {
  readonly kept: boolean;
  readonly from: string;
  readonly to: string;
  readonly measuredMs: number;
  readonly promisedMs: number;
}

test('X8, X9: a drill crashes the active controller, measures it, and why explains what happened', async (t) => {
  const cluster = await makeCluster(t, options);
  const before = await cluster.start();
  const drill = await cluster.command(['drill', 'crash', '--yes', '--json']);
  t.is(drill.code, 0, drill.stderr);
  const drilled = JSON.parse(drill.stdout) as Drilled;
  t.deepEqual([drilled.from, drilled.to], [before.active.node, before.passive.node]);
  t.true(drilled.kept && drilled.measuredMs > 0 && drilled.measuredMs <= drilled.promisedMs);

  const served = await eventually(
    async () => {
      const { stdout } = await cluster.command(['events', '--json']);
      const events = JSON.parse(stdout || '[]') as PairEvent[];
      return events.findLast((event) => event.kind === 'served' && event.facts['from']) ?? null;
    },
    { what: 'the event of the new service' },
  );
  t.is(served.node, before.passive.node);
  t.is(served.term, `${termOf(before.activeStatus) + 1n}`);
  t.is(served.facts['failure'], 'controller-crash');
  t.is(served.facts['measured'], 'demotion-to-serving');
  t.true(Number(served.facts['interruptedMs']) <= drilled.promisedMs);

  const why = await cluster.command(['why']);
  t.is(why.code, 0, why.stderr);
  t.regex(why.stdout, /From which evidence\n {2}the lease is free: \w+ let it go/);
  t.regex(why.stdout, /By which rule\n {2}a lease that was released may be claimed at once/);
  t.regex(why.stdout, /What the other side saw[\s\S]*goes passive: controller ended: SIGKILL/);
  t.regex(why.stdout, /for a controller crash: kept/);

  // The other node learns of the measurement from the database, and a restarted one, too.
  const status = await eventually(
    async () => {
      const views = await cluster.statuses();
      const known = views.map(([, view]) => view.measured.map((each) => each.failure));
      return known.every((each) => each.includes('controller-crash')) ? known : null;
    },
    { what: 'both nodes to know the measurement' },
  );
  t.is(status.length, 2);
  const shown = await cluster.command(['status']);
  t.regex(shown.stdout, /controller crash +\d+ ms +[\d.]+ ms +[\d.]+ ms +1 /);
});

for (const { kind, failure } of [
  { kind: 'freeze', failure: 'controller-freeze' },
  { kind: 'host-loss', failure: 'host-loss' },
  { kind: 'switchover', failure: 'switchover' },
]) {
  test(`X9: the drill ${kind} moves the role and measures it`, async (t) => {
    const cluster = await makeCluster(t, { agents: [] });
    const before = await cluster.start();
    // As a service manager: only the lost host loses its heartbeat.
    let isDrilling = true;
    void before.active.heartbeat.ended.then(() => isDrilling && before.active.start());
    const drill = await cluster.command(['drill', kind, '--yes', '--json']);
    isDrilling = false;
    const drilled = JSON.parse(drill.stdout) as Drilled;
    t.deepEqual([drilled.from, drilled.to], [before.active.node, before.passive.node]);
    // Whether the promise was kept is not for a busy machine to judge; that it is judged, is.
    t.is(drilled.kept, drill.code === 0, drill.stderr);
    t.true(drilled.measuredMs > 0 && drilled.promisedMs > 0);
    const served = await eventually(
      async () => {
        const { stdout } = await cluster.command(['events', '--json'], before.passive.node);
        const events = JSON.parse(stdout || '[]') as PairEvent[];
        return events.findLast((event) => event.kind === 'served' && event.facts['from']) ?? null;
      },
      { what: 'the event of the new service' },
    );
    t.is(served.node, before.passive.node);
    t.is(served.facts['failure'], failure);
  });
}

test('X9: a drill refuses a pair without a ready passive, and does nothing to it', async (t) => {
  const cluster = await makeCluster(t, options);
  const before = await cluster.start();
  const controller = processId(await before.active.controllerPid());
  await before.passive.killHeartbeat();
  const { code, stderr } = await cluster.command(['drill', 'crash', '--yes'], before.active.node);
  t.is(code, 1);
  t.regex(stderr, /no drill now: \w+ is active, no passive is ready/);
  t.true(controller !== null && isAlive(controller));
});

test('X9: a doubt that does not suffice is an event, too: a dead peer that is only passive', async (t) => {
  const cluster = await makeCluster(t, options);
  const before = await cluster.start();
  await before.passive.killHeartbeat();
  const doubt = await eventually(
    async () => {
      const { stdout } = await cluster.command(['events', '--json'], before.active.node);
      const events = JSON.parse(stdout || '[]') as PairEvent[];
      return (
        events.findLast(
          (event) => event.kind === 'peer-doubted' && event.node === before.active.node,
        ) ?? null
      );
    },
    { what: 'the doubt' },
  );
  t.regex(doubt.message, /does not answer/);
  t.regex(doubt.rule ?? '', /no evidence/);
});

test('X7, X9: a switch-over that is asked for by a passive moves the role, measured from the hold', async (t) => {
  const cluster = await makeCluster(t, options);
  const before = await cluster.start();
  const { active, passive } = before;
  const refused = await cluster.command(['switchover', '--to', 'nobody']);
  t.is(refused.code, 1);
  t.regex(refused.stderr, /refused by \w+: .*\(unknown-node\)/);

  const asked = await cluster.command(['switchover', '--json', '--to', passive.node], passive.node);
  t.is(asked.code, 0, asked.stderr);
  t.like(JSON.parse(asked.stdout), { from: active.node, to: passive.node });
  await cluster.settled({ active: passive.node });

  const why = await eventually(
    async () => {
      const { stdout } = await cluster.command(['why'], passive.node);
      return stdout.includes('handed its lease over') ? stdout : null;
    },
    { what: 'the switch-over to be explained' },
  );
  t.regex(why, /from the moment the old active held requests until the new one served/);
  t.regex(why, /for a switch-over: kept/);
});

test('X14: a pause is shown with the time that is left, and can be ended', async (t) => {
  const cluster = await makeCluster(t, options);
  await cluster.start();
  t.is((await cluster.command(['pause', '--for', '10m'])).code, 0);
  const shown = await cluster.command(['status']);
  t.regex(shown.stdout, /PAUSED for another (10|9)m/);
  t.regex((await cluster.command(['drill', 'crash', '--yes'])).stderr, /the pair is paused/);
  t.is((await cluster.command(['resume'])).stdout, 'not paused\n');
  await eventually(
    async () => ((await cluster.command(['status'])).stdout.includes('PAUSED') ? null : true),
    { what: 'the end of the pause to be seen' },
  );
});

test('X6, X9: a drill takes the database away: nobody moves, and users are answered', async (t) => {
  const cluster = await makeCluster(t, { agents: [] });
  const before = await cluster.start();
  const drill = await cluster.command(['drill', 'database', '--yes', '--json']);
  const drilled = JSON.parse(drill.stdout) as Drilled;
  t.is(drilled.to, before.active.node, drill.stderr);
  // For five seconds there is no database. How long an answer may take is not for a busy machine to judge.
  t.true(drilled.measuredMs < 4_000, `${drilled.measuredMs} ms without an answer`);
  const { activeStatus } = await cluster.settled({ active: before.active.node });
  t.is(termOf(activeStatus), termOf(before.activeStatus));
});
