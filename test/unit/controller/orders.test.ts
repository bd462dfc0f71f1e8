import { inspect } from 'node:util';
import type { Unsealed } from '@understudy/controller/security/secrets';
import { type Changes, mergeChanges } from '@understudy/controller/store/changes';
import { TenureGuard } from '@understudy/controller/tenure/guard';
import { AgentService } from '@understudy/controller/work/agents';
import type { TenureContext } from '@understudy/controller/work/context';
import { Dispatcher } from '@understudy/controller/work/dispatcher';
import { WorkState } from '@understudy/controller/work/state';
import { type OrderWire, registerSchema } from '@understudy/shared/protocol/agent';
import test, { type ExecutionContext } from 'ava';
import { makeRun, running } from './make-run.ts';

const WORKER = '0197e0d2-7c00-4000-8000-000000000003';

/** A dispatcher with one worker, a guard that can be held, and commits that the test makes happen. */
async function setUp(t: ExecutionContext) {
  const clock = { monotonicNs: () => 0n, monotonicMs: () => 0, wallMs: () => 5_000 };
  const guard = new TenureGuard(
    { term: 7n, trustedUntilNs: 1n },
    { clock, trustMs: 1_000, onSlept: () => undefined },
  );
  const commits: { readonly changes: Changes; readonly done: () => void }[] = [];
  const context = {
    ...{ pair: 'orders', node: 'a', term: 7n, guard, clock },
    failpoints: { pass: () => undefined },
    committer: {
      ...{ isAway: false, isFull: false, onGivenUp: () => () => undefined },
      commit: (changes: Changes) =>
        new Promise((resolve) => {
          commits.push({ changes, done: () => resolve({ existing: new Map(), events: [] }) });
        }),
    },
  } as unknown as TenureContext;
  const state = new WorkState(context);
  const agents = new AgentService(context, state, { beatEveryMs: 5, lostAfterMs: 60_000 });
  t.teardown(() => agents.leave(null));
  const orders: OrderWire[] = [];
  const worker = { agent: 'w1', incarnation: WORKER, version: '1', labels: {}, slots: 4 };
  const registered = agents.register(
    registerSchema.parse({ ...worker, highestTerm: '7', attempts: [], abilities: ['secrets'] }),
  );
  commits[0]?.done();
  await registered;
  const stream = { send: (order: OrderWire) => void orders.push(order), close: () => undefined };
  agents.connect('w1', WORKER, stream);
  commits.length = 0;
  orders.length = 0;
  const unseal = (names: readonly string[]): Unsealed =>
    names.includes('GONE')
      ? { type: 'unusable', problem: 'not stored: secret GONE' }
      : { type: 'values', values: Object.fromEntries(names.map((name) => [name, 'hidden'])) };
  const dispatcher = new Dispatcher(context, { state, agents, secrets: { unseal } });
  return { guard, state, agents, dispatcher, commits, orders };
}

/** On a busy machine a timer may be due before what was put off to the end of a turn is done. */
const turn = () => new Promise((resolve) => setTimeout(() => setImmediate(resolve), 20));

test('held, nothing is decided; resumed, the run goes out', async (t) => {
  const { guard, state, dispatcher, commits, orders } = await setUp(t);
  state.load({ jobs: [], agents: [], runs: [makeRun()] });
  guard.hold();
  dispatcher.kick();
  await turn();
  t.is(commits.length, 0);
  guard.resume();
  dispatcher.kick();
  await turn();
  t.is(commits.length, 1);
  t.deepEqual(orders, [], 'not before it is committed');
  commits[0]?.done();
  await dispatcher.whenIdle();
  t.deepEqual(
    orders.map(({ type }) => type),
    ['start'],
  );
});

test('an order that was decided before a hold waits for its end', async (t) => {
  const { guard, state, dispatcher, commits, orders } = await setUp(t);
  state.load({ jobs: [], agents: [], runs: [makeRun()] });
  dispatcher.kick();
  await turn();
  guard.hold();
  commits[0]?.done();
  await turn();
  t.deepEqual(orders, []);
  t.false(dispatcher.isIdle, 'it would not be held with an order under way');
  guard.resume();
  await dispatcher.whenIdle();
  t.is(orders.length, 1);
});

test('paused for a switch-over it decides nothing, and what was decided still goes out', async (t) => {
  const { state, dispatcher, commits, orders } = await setUp(t);
  state.load({ jobs: [], agents: [], runs: [makeRun()] });
  dispatcher.kick();
  await turn();
  dispatcher.pause();
  state.load({ jobs: [], agents: [], runs: [makeRun({}, { id: 'r2' })] });
  commits[0]?.done();
  await dispatcher.whenIdle();
  await turn();
  t.is(orders.length, 1);
  dispatcher.resume();
  await turn();
  t.is(commits.length, 2);
});

test('a new run is decided on at once, and its order waits for the commit of both', async (t) => {
  const { state, dispatcher, commits, orders } = await setUp(t);
  state.onQueued = () => dispatcher.kick();
  void state.apply({ newRuns: [makeRun()] });
  await turn();
  t.deepEqual(
    commits.map(({ changes }) => [changes.newRuns?.[0]?.state, changes.runs?.[0]?.state]),
    [
      ['queued', undefined],
      [undefined, 'dispatched'],
    ],
  );
  t.deepEqual(orders, []);
  commits[1]?.done();
  await dispatcher.whenIdle();
  t.is(orders.length, 1);
});

test('a new run that turns out to be there already is not ordered, and its slot is free again', async (t) => {
  const { state, dispatcher, agents, commits, orders } = await setUp(t);
  state.onQueued = () => dispatcher.kick();
  const run = makeRun();
  void state.apply({ newRuns: [run] });
  await turn();
  t.is(state.countOnAgent('w1'), 1);
  const batch = mergeChanges(
    commits.map(({ changes }) => changes),
    'b',
  );
  state.noteCommitted(batch, { existing: new Map([[run.id, 'r0']]), events: [] });
  for (const { done } of commits) done();
  await dispatcher.whenIdle();
  t.deepEqual(orders, []);
  t.is(state.countOnAgent('w1'), 0);
  t.is(state.queue.size, 0);
  t.is(agents.candidates()[0]?.free, 4);
});

test('held, no sign of life and no cancel goes out; resumed, both do', async (t) => {
  const { guard, agents, orders, state } = await setUp(t);
  const run = { ...running(makeRun()), cancelReason: 'by request' };
  state.load({ jobs: [], agents: [], runs: [run] });
  agents.load([]);
  guard.hold();
  orders.length = 0;
  agents.orderCancel(run);
  await turn();
  t.deepEqual(orders, []);
  guard.resume();
  while (!orders.some(({ type }) => type === 'cancel')) await turn();
  t.true(orders.some(({ type }) => type === 'beat'));
});

test('secrets travel with the order, beside the environment', async (t) => {
  const { state, dispatcher, commits, orders } = await setUp(t);
  state.load({ jobs: [], agents: [], runs: [makeRun({ secrets: ['TOKEN'], env: { A: '1' } })] });
  dispatcher.kick();
  await turn();
  commits[0]?.done();
  await turn();
  t.like(orders, [{ type: 'start', secrets: { TOKEN: 'hidden' } }]);
  const [order] = orders as [Extract<OrderWire, { type: 'start' }>];
  t.deepEqual(order.env, { A: '1' });
  t.notRegex(inspect(commits, { depth: null }), /hidden/);
});

test('a run whose secret is not stored any more is not ordered, and fails with the reason', async (t) => {
  const { state, dispatcher, commits, orders } = await setUp(t);
  state.load({ jobs: [], agents: [], runs: [makeRun({ secrets: ['GONE'] })] });
  dispatcher.kick();
  await turn();
  commits[0]?.done();
  await turn();
  t.deepEqual(orders, []);
  const [run] = commits[1]?.changes.runs ?? [];
  t.like(run, { state: 'failed', reason: 'not stored: secret GONE' });
});
