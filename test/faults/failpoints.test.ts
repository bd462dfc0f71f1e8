import test from 'ava';
import { eventually } from '../support/cluster/eventually.ts';
import { signal } from '../support/cluster/proc.ts';
import type { Failpoint } from '../support/cluster.ts';
import { BUSY_MS } from './bounds.ts';
import { Scenario } from './scenario.ts';

const begin = Scenario.shared(test, {
  host: { agents: { lostAfter: '120s' } },
  agent: { retry: { every: '200ms', timeout: '250ms', limit: 1_000 } },
});

const hit = (scenario: Scenario, place: Failpoint) =>
  eventually(() => (scenario.cluster.failpointHit(place) ? true : null), {
    what: `a process to die ${place}`,
  });

test.serial(
  'F3: a crash between commit and answer leaves one run, which the repeated request finds',
  async (t) => {
    const scenario = await begin(t);
    const { cluster } = scenario;
    const runsBefore = await scenario.runsOf('once');
    cluster.armFailpoint('after-commit-before-reply');
    const submitted = await scenario.submit('once', 5, 0.2);
    t.true(cluster.failpointHit('after-commit-before-reply'));
    await scenario.judge();
    const made = (await scenario.runsOf('once')).filter((id) => !runsBefore.includes(id));
    const answered = submitted.map((run) => run.id);
    t.deepEqual(made.toSorted(), answered.toSorted(), 'no run but those that were answered');
  },
);

const dispatching = {
  'F4: a crash before the intent to start runs': 'before-intent-commit',
  'F4: a crash between the intent and the order': 'after-intent-before-order',
  'F4: a crash after the orders are sent': 'after-order-sent',
} as const;

for (const [title, place] of Object.entries(dispatching)) {
  test.serial(`${title} is settled with the agents`, async (t) => {
    const scenario = await begin(t);
    const { cluster } = scenario;
    const submitted = scenario.submit('once', 5, 0.2);
    cluster.armFailpoint(place);
    const runs = [...(await submitted), ...(await scenario.submit('again', 5, 0.2))];
    await hit(scenario, place);
    const { runs: ended } = await scenario.judge();
    const mine = ended.filter(({ id }) => runs.some((run) => run.id === id));
    for (const run of mine) {
      // What was never sent may be called lost; what may be repeated has to succeed.
      const mayBeLost = run.job === 'once' && place === 'after-intent-before-order';
      t.true(run.state === 'succeeded' || (mayBeLost && run.state === 'lost'), run.state);
    }
  });
}

const reporting = {
  'F5: a crash before a report is recorded': 'after-accept-before-record',
  'F5: a crash with a report judged and not committed': 'before-report-commit',
  'F100: a crash before a recorded report is acknowledged': 'after-report-commit',
} as const;

for (const [title, place] of Object.entries(reporting)) {
  test.serial(`${title} doubles nothing: the agent reports again`, async (t) => {
    const scenario = await begin(t);
    const { cluster } = scenario;
    const submitted = [
      ...(await scenario.submit('once', 5, 1)),
      ...(await scenario.submit('again', 5, 1)),
    ];
    cluster.armFailpoint(place);
    await hit(scenario, place);
    const { runs } = await scenario.judge();
    const mine = runs.filter(({ id }) => submitted.some((run) => run.id === id));
    t.true(mine.every((run) => run.state === 'succeeded'));
    const starts = scenario.starts.filter(({ run }) => mine.some(({ id }) => id === run));
    t.is(starts.length, submitted.length);
  });
}

const promoting: Readonly<Record<string, Failpoint>> = {
  'about to claim': 'before-claim',
  'with a grant and no controller told': 'after-claim',
  'with a controller that serves and a heartbeat that does not know it': 'before-serving',
};

/** Has the passive claim the role: the active's heartbeat dies, and its next life lets the lease go. */
async function promote({ before }: Scenario): Promise<void> {
  await before.active.killHeartbeat();
  before.active.start();
}

for (const [step, place] of Object.entries(promoting)) {
  test.serial(
    `F25: a node that dies in its promotion, ${step}, is followed by another in time`,
    async (t) => {
      const scenario = await begin(t);
      const { cluster, before, bounds } = scenario;
      await scenario.submit('again', 5, 0.5);
      cluster.armFailpoint(place);
      await promote(scenario);
      await hit(scenario, place);
      const diedAt = process.hrtime.bigint();
      await before.passive.heartbeat.ended;
      await scenario.servedBy(before.active.node, diedAt, bounds.silenceMs + BUSY_MS);
      before.passive.start();
      const { after } = await scenario.judge();
      t.is(after.active.node, before.active.node);
    },
  );
}

const activating: Readonly<Record<string, Failpoint>> = {
  'told to serve': 'before-load',
  'with its work loaded and nobody answered': 'before-serve',
  'answering, and its heartbeat not told': 'after-serve',
};

for (const [step, place] of Object.entries(activating)) {
  test.serial(
    `F25: a controller that dies in its promotion, ${step}, is followed by another in time`,
    async (t) => {
      const scenario = await begin(t);
      const { cluster, termBefore, bounds } = scenario;
      await scenario.submit('again', 5, 0.5);
      cluster.armFailpoint(place);
      await promote(scenario);
      await hit(scenario, place);
      const diedAt = process.hrtime.bigint();
      const after = await cluster.settled({ above: termBefore + 1n });
      await scenario.servedBy(after.active.node, diedAt, bounds.silenceMs + BUSY_MS);
      await scenario.judge();
    },
  );
}

test.serial(
  'F8: a controller whose loop is blocked is ended, though its port still takes connections',
  async (t) => {
    const scenario = await begin(t);
    const { cluster, before, termBefore } = scenario;
    await scenario.submitTwenty();
    signal(await before.active.controllerPid(), 'SIGUSR2');
    await cluster.settled({ above: termBefore });
    const { runs } = await scenario.judge();
    t.true(runs.every((run) => run.state === 'succeeded' || run.job === 'once'));
  },
);

test.serial(
  'F16: a controller whose scheduler is dead is not healthy, though it answers',
  async (t) => {
    const scenario = await begin(t);
    const { cluster, before, termBefore } = scenario;
    signal(await before.active.controllerPid(), 'SIGUSR1');
    await cluster.settled({ above: termBefore });
    await scenario.judge();
    t.pass();
  },
);
