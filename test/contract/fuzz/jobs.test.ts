import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { AgentProcess } from '../agent/agent-process.ts';
import { FakeController } from '../agent/fake-controller.ts';
import { startOrder } from '../agent/order.ts';
import { startStore } from '../controller/bench.ts';
import { authorized, servingController } from './support/controller.ts';
import { noFault } from './support/fuzzing.ts';
import { answerFault } from './support/judge.ts';
import { nastyTexts } from './support/nasty.ts';
import { exchangeRaw, requestBytes } from './support/raw.ts';

let store: Awaited<ReturnType<typeof startStore>>;
test.before(async () => {
  store = await startStore();
});
test.after.always(() => store.end());

const headers = { ...authorized, 'Content-Type': 'application/json' };

const fieldOf = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom('*', '0', '1', '59', '*/5', '1-5', '1,2,3', '?', 'L', 'W'),
  },
  {
    weight: 4,
    arbitrary: fc.constantFrom('60', '-1', '99999999999', '*/0', '5-1', '1-', 'MON#9', '#'),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom('H', 'JAN', 'FRI', '@daily', '0-59/1', '1,,2', '*'.repeat(50)),
  },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 8 }) },
);
const crons = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.array(fieldOf, { minLength: 4, maxLength: 7 }).map((all) => all.join(' ')),
  },
  { weight: 1, arbitrary: fc.constantFrom(...nastyTexts) },
  // True never, or hardly ever: finding the next instant must not take for ever.
  {
    weight: 1,
    arbitrary: fc.constantFrom('0 0 30 2 *', '0 0 31 4,6,9,11 *', '59 59 23 29 2 1', '0 0 29 2 *'),
  },
);
const timezones = fc.constantFrom(
  'UTC',
  'Europe/Rome',
  '+25:00',
  'Mars/Base',
  '',
  '../etc/localtime',
  'utc\0',
);

test.serial(
  'F95: cron garbage is refused with a code or taken, and neither holds up the scheduler',
  async (t) => {
    const target = await servingController(t, store);
    await target.remember();
    let number = 0;
    await noFault(t, {
      runs: 300,
      cases: fc.record({ cron: crons, timezone: timezones }),
      faultOf: async (schedule) => {
        number += 1;
        const body = JSON.stringify({ command: ['true'], schedule });
        const path = `/api/v1/jobs/cron-${number}`;
        const pieces = [requestBytes({ method: 'PUT', path, headers, body })];
        const answer = await exchangeRaw({ port: target.port, pieces, limitMs: 20_000 });
        return answerFault(answer) ?? (answer.tookMs < 15_000 ? null : `took ${answer.tookMs} ms`);
      },
    });
    t.true(await isScheduled(target.bench));
    await target.judge(t);
  },
);

type Bench = Awaited<ReturnType<typeof servingController>>['bench'];

/** For a busy machine: that it goes on is what is judged. */
const SCHEDULED_WITHIN_MS = 100_000;

/** A machine that is busy may not commit in time: then it says to come again. */
async function untilTaken(bench: Bench, path: string, job: object) {
  const limit = AbortSignal.timeout(SCHEDULED_WITHIN_MS);
  for (;;) {
    const answer = await bench.ask('PUT', path, job);
    if (answer.status !== 503 || limit.aborted) return answer;
  }
}

/** A job of every second gets a run: the scheduler goes on. */
async function isScheduled(bench: Bench) {
  const schedule = { cron: '* * * * * *' };
  await bench.ask('PUT', '/api/v1/jobs/each-second', { command: ['true'], schedule });
  const limit = AbortSignal.timeout(SCHEDULED_WITHIN_MS);
  while (!limit.aborted) {
    const { body } = await bench.ask('GET', '/api/v1/runs?job=each-second');
    if ((body as { items: unknown[] }).items.length > 0) return true;
  }
  return false;
}

test.serial('F95: 10,000 jobs are taken, and the scheduler keeps its time', async (t) => {
  const { bench } = await servingController(t, store);
  const schedule = { cron: '0 0 1 1 *' };
  for (let first = 0; first < 10_000; first += 200) {
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) =>
        untilTaken(bench, `/api/v1/jobs/many-${first + index}`, { command: ['true'], schedule }),
      ),
    );
    const others = answers.filter(({ status }) => status !== 201 && status !== 200);
    t.deepEqual(
      others.map(({ status, body }) => ({ status, body })),
      [],
    );
  }
  t.true(await isScheduled(bench));
});

test.serial(
  'F95: an environment of 10 MB is refused, one as large as may be is taken',
  async (t) => {
    const { bench } = await servingController(t, store);
    const ofSize = (count: number) => ({
      command: ['true'],
      env: Object.fromEntries(
        Array.from({ length: count }, (_, index) => [`V${index}`, 'x'.repeat(60_000)]),
      ),
    });
    // Who is still sending when it is refused may see the connection end before the answer.
    const refused = await bench.ask('PUT', '/api/v1/jobs/large', ofSize(170)).catch(() => null);
    if (refused !== null) t.like(refused, { status: 413, body: { error: { code: 'too-large' } } });
    t.is((await bench.ask('GET', '/api/v1/jobs/large')).status, 404);
    t.is((await bench.ask('PUT', '/api/v1/jobs/large', ofSize(30))).status, 201);
  },
);

test.serial(
  'F127: arguments and parameters reach the process byte for byte, and no shell looks at them',
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'understudy-argv-'));
    t.teardown(() => rmSync(folder, { recursive: true, force: true }));
    const program = join(folder, 'tell.mjs');
    writeFileSync(
      program,
      `import { writeFileSync } from 'node:fs';
     const [, , file, ...args] = process.argv;
     writeFileSync(file, JSON.stringify({ args, A: process.env.A, job: process.env.UNDERSTUDY_JOB }));`,
    );
    const honest = await FakeController.open({ node: 'a', term: 1n });
    t.teardown(() => honest.close());
    const log = { level: 'info', format: 'text' } as const;
    const agent = new AgentProcess(t, { controllers: [honest.url], log });
    await honest.untilFollowed();
    let number = 0;
    // What no process can be given, NUL and halves of pairs, is refused before it gets so far.
    const given = fc
      .oneof(fc.constantFrom(...nastyTexts), fc.string({ unit: 'grapheme', maxLength: 200 }))
      .map((text) => Buffer.from(text).toString().replaceAll('\0', ''));
    await noFault(t, {
      runs: 60,
      cases: fc.record({ args: fc.array(given, { maxLength: 5 }), A: given, job: given }),
      faultOf: async ({ args, A, job }) => {
        number += 1;
        const file = join(folder, `${number}.json`);
        const command = [process.execPath, program, file, ...args];
        const order = { ...startOrder(''), command, env: { A }, job };
        const { exitCode, reason } = await endOf(honest, order);
        if (exitCode !== 0) return `ended with ${exitCode}: ${reason}`;
        const told = readFileSync(file, 'utf8');
        return told === JSON.stringify({ args, A, job }) ? null : `got ${told}`;
      },
    });
    for (const odd of [
      { command: ['true', 'a\0b'] },
      { env: { A: 'a\0b' } },
      { env: { 'A=B': 'c' } },
      { command: [''] },
    ]) {
      const order = { ...startOrder('true'), ...odd };
      await endOf(honest, order);
    }
    t.is(agent.child.exitCode, null);
  },
);

const ORDER_AGAIN_MS = 1_000;

/** Orders an attempt until its end is reported: on a busy host the stream may just then be another one. */
async function endOf(honest: FakeController, order: ReturnType<typeof startOrder>) {
  honest.order(order);
  const again = setInterval(() => honest.order(order), ORDER_AGAIN_MS);
  try {
    return await honest.untilReport('ended', order.run);
  } finally {
    clearInterval(again);
  }
}
